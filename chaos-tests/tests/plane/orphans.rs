//! What becomes of sockets when endpoints go.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read, Write},
    iter,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd as _,
    path::Path,
    thread,
    time::Duration,
};

use evermesh_abi::Origin;
use evermesh_loader::DataPlane;
use evermesh_model::{Balancing, Health, Mode, Scope, Service, Snapshot, Workload};
use evermesh_pins::{
    Enrolment, Inventory, Table,
    sys::{map_pairs, map_update},
};
use evermesh_sockets::destroy_orphans;
use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
};

use crate::{
    bench::{Bench, NODE, PORT, TARGET, VIP4, VIP6, inside, key},
    trial::on_trial_with,
};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(2));
const NAME_LEN: usize = 16;

/// By IPv4, IPv6, and IPv4 through an IPv6 socket.
fn everywhere() -> [SocketAddr; 3] {
    [VIP4, VIP6, "::ffff:10.96.0.10"].map(|ip| SocketAddr::new(ip.parse().unwrap(), PORT))
}

fn ready() -> (Bench, DataPlane) {
    let bench = Bench::new();
    let (plane, _) = bench.start(Some(&bench.mesh(2)));
    bench.enrol(&bench.client);
    (bench, plane)
}

/// The mesh with what `change` leaves of each workload.
fn changed(bench: &Bench, change: impl Fn(Workload) -> Option<Workload>) -> Snapshot {
    let whole = bench.mesh(2);
    let services = whole.services().map(|service| service.as_ref().clone()).collect::<Vec<_>>();
    let workloads = whole.workloads().filter_map(|workload| change(workload.as_ref().clone()));
    Snapshot::new(services, workloads.collect::<Vec<_>>(), []).unwrap()
}

fn without(bench: &Bench, gone: &str) -> Snapshot {
    changed(bench, |workload| (workload.name != gone).then_some(workload))
}

fn destroyed(bench: &Bench) -> usize {
    let pass = destroy_orphans(&bench.pins());
    assert!(pass.failed.is_none(), "{:?}", pass.failed);
    pass.destroyed
}

/// A socket of the target's family that is bound to nothing, so that connecting again is all that it needs.
fn udp(target: SocketAddr) -> UdpSocket {
    let socket = socket2::Socket::new(socket2::Domain::for_address(target), socket2::Type::DGRAM, None);
    let socket = UdpSocket::from(socket.unwrap());
    socket.set_read_timeout(PATIENCE).unwrap();
    socket
}

pub fn connected(target: SocketAddr) -> UdpSocket {
    let socket = udp(target);
    socket.connect(target).unwrap();
    socket
}

/// Who answers.
fn ask(socket: &UdpSocket) -> String {
    socket.send(b"hello").unwrap();
    let mut answer = [0; 64];
    socket.recv(&mut answer).unwrap();
    name(&answer)
}

/// Who answers a socket that is not connected, as whom it asked.
fn ask_at(socket: &UdpSocket, target: SocketAddr) -> String {
    let mut answer = [0; 64];
    socket.send_to(b"hello", target).unwrap();
    assert_eq!(socket.recv_from(&mut answer).unwrap().1, target);
    name(&answer)
}

fn name(answer: &[u8]) -> String {
    String::from_utf8_lossy(&answer[..NAME_LEN]).trim_end_matches('\0').to_owned()
}

/// By who serves them: enough connections that everybody serves some.
fn by_server(target: SocketAddr) -> HashMap<String, Vec<UdpSocket>> {
    let mut sockets = HashMap::<String, Vec<UdpSocket>>::new();
    while sockets.len() < 2 {
        let socket = connected(target);
        sockets.entry(ask(&socket)).or_default().push(socket);
    }
    sockets
}

fn errno<T>(result: io::Result<T>) -> Option<Errno> {
    result.err()?.raw_os_error().map(Errno::from_raw)
}

#[test]
fn connected_udp_is_told_that_its_endpoint_is_gone_and_moves() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            plane.apply(&bench.mesh(2)).unwrap();
            let socket = connected(target);
            let first = ask(&socket);
            plane.apply(&without(&bench, &first)).unwrap();
            assert_eq!(destroyed(&bench), 1, "{target}");
            assert_eq!(errno(socket.peer_addr()), Some(Errno::ENOTCONN), "{target}");
            assert_eq!(errno(socket.send(b"hello")), Some(Errno::EDESTADDRREQ), "{target}");
            assert_eq!(errno(socket.recv(&mut [0; 64])), Some(Errno::ECONNABORTED), "{target}");
            socket.connect(target).unwrap();
            assert_ne!(ask(&socket), first, "{target}");
            assert_eq!(socket.peer_addr().unwrap(), target);
            assert_eq!(destroyed(&bench), 0, "{target}");
        }
    });
}

/// `live` names the generation before it, whose tables know neither who comes during the trial nor who goes: sockets of the one were
/// destroyed, and those of the other stayed.
#[test]
fn while_a_generation_is_on_trial_sockets_are_judged_by_its_own_tables() {
    let bench = Bench::new();
    let mut plane = on_trial_with(&bench, 1);
    bench.enrol(&bench.client);
    plane.apply(&bench.mesh(2)).unwrap();
    inside(&bench, &bench.client, || {
        let sockets = by_server(everywhere()[0]);
        assert_eq!(destroyed(&bench), 0);
        for (server, own) in &sockets {
            own.iter().for_each(|socket| assert_eq!(ask(socket), *server));
        }
        plane.apply(&without(&bench, "web-1")).unwrap();
        assert_eq!(destroyed(&bench), sockets["web-1"].len());
        plane.roll_back("as a test wants it").unwrap();
        assert_eq!(destroyed(&bench), 0);
        sockets["web-2"].iter().for_each(|socket| assert_eq!(ask(socket), "web-2"));
    });
}

/// Where the tables of the release before could not be read, ids are new; the sockets were destroyed though their endpoints were there.
#[test]
fn a_service_that_has_another_id_by_now_keeps_its_sockets() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        let sockets = everywhere().map(connected);
        let served_by = sockets.each_ref().map(ask);
        renumber_services(&bench);
        assert_eq!(destroyed(&bench), 0);
        assert_eq!(sockets.each_ref().map(ask), served_by);
        plane.apply(&bench.mesh(0)).unwrap();
        assert_eq!(destroyed(&bench), sockets.len());
    });
}

/// As if every socket had been connected under ids that no service has any more.
fn renumber_services(bench: &Bench) {
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let origins = inventory.frozen[&Table::Origins].fd.as_fd();
    for (cookie, origin) in map_pairs::<u64, Origin>(origins).unwrap() {
        map_update(origins, &cookie, &Origin { service: origin.service + 1_000, ..origin }).unwrap();
    }
}

#[test]
fn whoever_waits_for_an_answer_is_woken() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            plane.apply(&bench.mesh(2)).unwrap();
            let socket = connected(target);
            let first = ask(&socket);
            thread::scope(|scope| {
                let waiting = scope.spawn(|| errno(socket.recv(&mut [0; 64])));
                plane.apply(&without(&bench, &first)).unwrap();
                destroyed(&bench);
                assert_eq!(waiting.join().unwrap(), Some(Errno::ECONNABORTED), "{target}");
            });
        }
    });
}

#[test]
fn sockets_on_an_endpoint_that_stays_notice_nothing() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            plane.apply(&bench.mesh(2)).unwrap();
            let sockets = by_server(target);
            plane.apply(&without(&bench, "web-1")).unwrap();
            assert_eq!(destroyed(&bench), sockets["web-1"].len(), "{target}");
            for socket in &sockets["web-2"] {
                assert_eq!(ask(socket), "web-2", "{target}");
            }
        }
    });
}

#[test]
fn a_socket_that_asked_for_no_service_keeps_the_pod_it_reached_even_if_that_was_an_endpoint() {
    let (bench, mut plane) = ready();
    let direct = bench.web[0].addresses().map(|ip| SocketAddr::new(ip, TARGET));
    inside(&bench, &bench.client, || {
        let mut orphans = by_server(everywhere()[0]).remove("web-1").unwrap();
        let former = orphans.pop().unwrap();
        former.connect(direct[0]).unwrap();
        orphans.extend(by_server(everywhere()[0]).remove("web-1").unwrap());
        let sockets = direct.map(connected);
        plane.apply(&without(&bench, "web-1")).unwrap();
        assert_eq!(destroyed(&bench), orphans.len());
        for socket in sockets.iter().chain([&former]) {
            assert_eq!(ask(socket), "web-1");
        }
    });
}

#[test]
fn draining_endpoints_keep_their_sockets_until_they_go() {
    let (bench, mut plane) = ready();
    let draining = changed(&bench, |workload| {
        let health = if workload.name == "web-1" { Health::Draining } else { workload.health };
        Some(Workload { health, ..workload })
    });
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            plane.apply(&bench.mesh(2)).unwrap();
            let sockets = by_server(target);
            let unconnected =
                iter::repeat_with(|| udp(target)).find(|one| ask_at(one, target) == "web-1").unwrap();
            plane.apply(&draining).unwrap();
            assert_eq!(destroyed(&bench), 0, "{target}");
            for socket in &sockets["web-1"] {
                assert_eq!(ask(socket), "web-1", "{target}");
            }
            assert_eq!(ask_at(&unconnected, target), "web-1", "{target}");
            assert_eq!(ask_at(&udp(target), target), "web-2", "{target}");
            plane.apply(&without(&bench, "web-1")).unwrap();
            assert_eq!(destroyed(&bench), sockets["web-1"].len(), "{target}");
            assert_eq!(ask_at(&unconnected, target), "web-2", "{target}");
        }
    });
}

/// Web-2 is the nearer one, if it is there at all.
fn nearest_first(bench: &Bench, with_the_near: bool) -> Snapshot {
    let whole = bench.mesh(2);
    let near = Balancing { mode: Mode::Failover, scopes: vec![Scope::Node], ..Balancing::default() };
    let services = whole.services().map(|one| Service { balancing: near.clone(), ..one.as_ref().clone() });
    let workloads = whole.workloads().map(|one| one.as_ref().clone()).filter_map(|one| match &*one.name {
        "web-2" => with_the_near.then(|| Workload { node: NODE.into(), ..one }),
        _ => Some(Workload { node: "elsewhere".into(), ..one }),
    });
    Snapshot::new(services.collect::<Vec<_>>(), workloads.collect::<Vec<_>>(), []).unwrap()
}

#[test]
fn a_nearer_endpoint_that_comes_takes_new_flows_and_leaves_the_others_where_they_are() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            plane.apply(&nearest_first(&bench, false)).unwrap();
            let (kept, unconnected) = (connected(target), udp(target));
            assert_eq!((&*ask(&kept), &*ask_at(&unconnected, target)), ("web-1", "web-1"), "{target}");
            plane.apply(&nearest_first(&bench, true)).unwrap();
            assert_eq!(destroyed(&bench), 0, "{target}");
            assert_eq!((&*ask(&kept), &*ask_at(&unconnected, target)), ("web-1", "web-1"), "{target}");
            assert_eq!(
                (&*ask(&connected(target)), &*ask_at(&udp(target), target)),
                ("web-2", "web-2"),
                "{target}"
            );
            plane.apply(&without(&bench, "web-1")).unwrap();
            assert_eq!(destroyed(&bench), 1, "{target}");
            assert_eq!(ask_at(&unconnected, target), "web-2", "{target}");
        }
    });
}

#[test]
fn a_service_that_is_gone_takes_its_sockets_with_it() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        let sockets = everywhere().map(|target| (connected(target), target));
        plane.apply(&Snapshot::default()).unwrap();
        assert_eq!(destroyed(&bench), sockets.len());
        for (socket, target) in &sockets {
            assert_eq!(errno(socket.send(b"hello")), Some(Errno::EDESTADDRREQ), "{target}");
        }
    });
}

#[test]
fn tcp_is_left_to_its_peers() {
    let (bench, mut plane) = ready();
    let listener = bench.web[0].netns().enter(|| Ok(TcpListener::bind("[::]:0").unwrap())).unwrap();
    let port = listener.local_addr().unwrap().port();
    let only_the_listener = changed(&bench, |workload| {
        let services = [(key(), BTreeMap::from([(PORT, port)]))].into();
        (workload.name == "web-1").then_some(Workload { services, ..workload })
    });
    plane.apply(&only_the_listener).unwrap();
    inside(&bench, &bench.client, || {
        let pairs = everywhere().map(|target| {
            let client = TcpStream::connect_timeout(&target, PATIENCE.unwrap()).unwrap();
            (client, listener.accept().unwrap().0)
        });
        plane.apply(&bench.mesh(0)).unwrap();
        assert_eq!(destroyed(&bench), 0);
        for (mut client, mut server) in pairs {
            client.write_all(b"ping").unwrap();
            server.read_exact(&mut [0; 4]).unwrap();
            server.write_all(b"pong").unwrap();
            client.read_exact(&mut [0; 4]).unwrap();
        }
    });
}

#[test]
fn unconnected_udp_moves_by_itself() {
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            plane.apply(&bench.mesh(2)).unwrap();
            let socket = udp(target);
            let first = ask_at(&socket, target);
            plane.apply(&without(&bench, &first)).unwrap();
            assert_eq!(destroyed(&bench), 0, "{target}");
            assert_ne!(ask_at(&socket, target), first, "{target}");
        }
    });
}

#[test]
fn a_pod_that_is_not_enrolled_any_more_is_not_entered() {
    let (bench, mut plane) = ready();
    enrol_what_is_gone(&bench);
    inside(&bench, &bench.client, || {
        let socket = connected(everywhere()[0]);
        let first = ask(&socket);
        Enrolment::open(&bench.pins()).unwrap().remove(bench.client.name()).unwrap();
        plane.apply(&bench.mesh(0)).unwrap();
        assert_eq!(destroyed(&bench), 0);
        assert_eq!(ask(&socket), first);
    });
}

/// A pod whose namespace is nowhere to be found, so that it is looked for everywhere.
fn enrol_what_is_gone(bench: &Bench) {
    let enrol = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        Enrolment::open(&bench.pins()).unwrap().add("gone", Path::new("/proc/thread-self/ns/net")).unwrap();
    };
    thread::scope(|scope| scope.spawn(enrol).join().unwrap());
}

#[test]
fn a_pod_that_is_gone_does_not_keep_others_from_being_entered() {
    let (bench, mut plane) = ready();
    enrol_what_is_gone(&bench);
    inside(&bench, &bench.client, || {
        let _socket = connected(everywhere()[0]);
        plane.apply(&bench.mesh(0)).unwrap();
        assert_eq!(destroyed(&bench), 1);
    });
}

#[test]
fn every_one_of_a_thousand_sockets_is_found_among_others() {
    const SOCKETS: usize = 1000;
    let (bench, mut plane) = ready();
    inside(&bench, &bench.client, || {
        let targets = everywhere();
        let sockets: Vec<_> = targets.iter().cycle().take(SOCKETS).map(|&target| connected(target)).collect();
        let others: Vec<_> = targets.iter().cycle().take(SOCKETS).map(|&target| udp(target)).collect();
        plane.apply(&bench.mesh(0)).unwrap();
        assert_eq!(destroyed(&bench), SOCKETS);
        assert_eq!(destroyed(&bench), 0);
        for socket in &sockets {
            assert_eq!(errno(socket.send(b"hello")), Some(Errno::EDESTADDRREQ));
        }
        drop(others);
    });
}
