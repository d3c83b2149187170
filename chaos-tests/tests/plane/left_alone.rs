//! A port of which nobody knows where it leads goes where it was going; the others of its virtual IP do not.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use evermesh_loader::DataPlane;
use evermesh_model::{Balancing, Health, Passes, Port, Protocol, Service, Snapshot, Workload};

use crate::{
    bench::{Bench, PORT, TARGET, VIP4, VIP6, inside, key},
    listeners::{Listeners, Met, ask, make_local},
    picks::{NETWORKS, service, workload},
};

const PATIENCE: Duration = Duration::from_secs(5);
/// Another port of the service, which is said.
const SAID: u16 = 81;

fn mesh(passes: Passes, workloads: Vec<Workload>) -> Snapshot {
    let unsaid = Port { passes, ..Port::new(0, vec![Protocol::Tcp, Protocol::Udp]) };
    let said = Port::new(0, vec![Protocol::Tcp, Protocol::Udp]);
    let service = Service { ports: [(PORT, unsaid), (SAID, said)].into(), ..service(Balancing::default()) };
    Snapshot::new([service], workloads, []).unwrap()
}

fn naming(n: u8, target_port: u16) -> Workload {
    Workload { services: [(key(), [(PORT, target_port)].into())].into(), ..workload(n) }
}

fn ready(mesh: &Snapshot) -> (Bench, DataPlane) {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    make_local(&bench.client, &["10.96.0.0/24", "fd00:96::/64"]);
    let (plane, _) = bench.start(Some(mesh));
    bench.enrol(&bench.client);
    (bench, plane)
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// The virtual IPs at the port, and one at the port that is said.
fn met(bench: &Bench) -> [Met; 3] {
    inside(bench, &bench.client, || {
        let _listeners = Listeners::new(&[PORT, TARGET, SAID]);
        [at(VIP4, PORT), at(VIP6, PORT), at(VIP4, SAID)].map(ask)
    })
}

fn left_alone(bench: &Bench) -> u64 {
    bench.counted("left_alone")
}

#[test]
fn connections_are_left_alone_until_a_workload_says_where_they_should_go() {
    let (bench, mut plane) = ready(&mesh(Passes::Untargeted, vec![workload(1)]));
    let alone = [VIP4, VIP6].map(|ip| Some((ip.parse().unwrap(), PORT)));
    assert_eq!((met(&bench), left_alone(&bench)), ([alone[0], alone[1], None], 2));
    plane.apply(&mesh(Passes::Untargeted, vec![workload(1), naming(2, TARGET)])).unwrap();
    let led = ["10.250.0.2", "fd00:250::2"].map(|ip| Some((ip.parse().unwrap(), TARGET)));
    assert_eq!((met(&bench), left_alone(&bench)), ([led[0], led[1], None], 2));
    let ill = Workload { health: Health::Unhealthy, ..naming(2, TARGET) };
    plane.apply(&mesh(Passes::Untargeted, vec![workload(1), ill])).unwrap();
    assert_eq!((met(&bench), left_alone(&bench)), ([None; 3], 2));
    plane.apply(&mesh(Passes::Untargeted, vec![workload(1)])).unwrap();
    assert_eq!(met(&bench), [alone[0], alone[1], None]);
    plane.apply(&mesh(Passes::Always, vec![naming(1, TARGET)])).unwrap();
    assert_eq!((met(&bench), left_alone(&bench)), ([alone[0], alone[1], None], 6));
}

/// Which of the servers gets what the socket sends.
fn arrives(send: impl FnOnce() -> io::Result<usize>, servers: &[&UdpSocket]) -> Option<SocketAddr> {
    if let Err(error) = send() {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        return None;
    }
    let came = |server: &&&UdpSocket| server.recv_from(&mut [0; 16]).is_ok();
    let all: Vec<SocketAddr> = loop {
        let all: Vec<_> = servers.iter().filter(came).map(|server| server.local_addr().unwrap()).collect();
        if !all.is_empty() {
            break all;
        }
    };
    assert_eq!(all.len(), 1, "{all:?}");
    Some(all[0])
}

#[test]
fn datagrams_are_left_alone_until_a_workload_says_where_they_should_go() {
    let (alone, led) = (at(VIP4, PORT), at("10.250.0.2", TARGET));
    let (silent, named) = (
        mesh(Passes::Untargeted, vec![workload(1)]),
        mesh(Passes::Untargeted, vec![workload(1), naming(2, TARGET)]),
    );
    let (bench, mut plane) = ready(&silent);
    inside(&bench, &bench.client, || {
        let server = |address: SocketAddr| {
            let socket = UdpSocket::bind(address).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let (here, there) = (server(alone), server(led));
        let servers = [&here, &there];
        let client = || UdpSocket::bind("0.0.0.0:0").unwrap();
        let (loose, connected) = (client(), client());
        loose.set_read_timeout(Some(PATIENCE)).unwrap();
        for (mesh, expected) in [(&silent, alone), (&named, led), (&silent, alone)] {
            plane.apply(mesh).unwrap();
            assert_eq!(arrives(|| loose.send_to(b"?", alone), &servers), Some(expected));
            connected.connect(alone).unwrap();
            assert_eq!(arrives(|| connected.send(b"?"), &servers), Some(expected));
            let server = if expected == alone { &here } else { &there };
            server.send_to(b"!", loose_address(&loose)).unwrap();
            let (_, from) = loose.recv_from(&mut [0; 16]).unwrap();
            assert_eq!(from, alone, "it is answered by whom it asked");
            assert_eq!(arrives(|| loose.send_to(b"?", at(VIP4, SAID)), &servers), None);
        }
    });
}

fn loose_address(socket: &UdpSocket) -> SocketAddr {
    SocketAddr::new([127, 0, 0, 1].into(), socket.local_addr().unwrap().port())
}
