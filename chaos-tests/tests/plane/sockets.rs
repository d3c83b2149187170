//! What applications see: addresses, refusals, replies.

use std::{
    io::{ErrorKind, Read},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use crate::bench::{Bench, PORT, TARGET, VIP4, VIP6, inside};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(2));

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

fn mapped(ip: &str) -> String {
    match ip.parse::<IpAddr>().unwrap() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_string(),
        IpAddr::V6(v6) => v6.to_string(),
    }
}

fn everywhere() -> [SocketAddr; 3] {
    [at(VIP4, PORT), at(VIP6, PORT), at(&mapped(VIP4), PORT)]
}

/// A socket of the family of `target`, also where that is v4-mapped.
fn udp(target: SocketAddr) -> UdpSocket {
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(PATIENCE).unwrap();
    socket
}

fn ready(members: usize) -> (Bench, evermesh_loader::DataPlane) {
    let bench = Bench::new();
    let (plane, _) = bench.start(Some(&bench.mesh(members)));
    bench.enrol(&bench.client);
    (bench, plane)
}

#[test]
fn tcp_reaches_an_endpoint_and_sees_the_virtual_ip() {
    let (bench, _plane) = ready(2);
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            let mut stream = TcpStream::connect_timeout(&target, PATIENCE.unwrap()).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), target);
            assert_eq!(stream.read(&mut [0; 1]).unwrap(), 1);
        }
    });
}

#[test]
fn unconnected_udp_is_answered_by_the_virtual_ip() {
    let (bench, _plane) = ready(2);
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            let socket = udp(target);
            for _ in 0..5 {
                socket.send_to(b"hello", target).unwrap();
                let (_, from) = socket.recv_from(&mut [0; 64]).unwrap();
                assert_eq!(from, target);
            }
        }
    });
}

#[test]
fn connected_udp_is_answered_and_sees_the_virtual_ip() {
    let (bench, _plane) = ready(2);
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            let socket = udp(target);
            socket.connect(target).unwrap();
            assert_eq!(socket.peer_addr().unwrap(), target);
            socket.send(b"hello").unwrap();
            let (_, from) = socket.recv_from(&mut [0; 64]).unwrap();
            assert_eq!(from, target);
            socket.send_to(b"hello", target).unwrap();
            assert_eq!(socket.recv_from(&mut [0; 64]).unwrap().1, target);
        }
    });
}

#[test]
fn a_service_without_endpoints_and_an_unknown_port_are_refused_at_once() {
    let (bench, _plane) = ready(0);
    inside(&bench, &bench.client, || {
        for target in everywhere() {
            for target in [target, SocketAddr::new(target.ip(), 9)] {
                let tcp = TcpStream::connect(target).unwrap_err();
                assert_eq!(tcp.kind(), ErrorKind::ConnectionRefused, "{target}");
                let sent = udp(target).send_to(b"hello", target).unwrap_err();
                assert_eq!(sent.kind(), ErrorKind::ConnectionRefused, "{target}");
                let connected = udp(target).connect(target).unwrap_err();
                assert_eq!(connected.kind(), ErrorKind::ConnectionRefused, "{target}");
            }
        }
    });
}

#[test]
fn pods_that_are_not_enrolled_are_left_alone() {
    let (bench, _plane) = ready(2);
    inside(&bench, &bench.web[0], || {
        let error = TcpStream::connect_timeout(&at(VIP4, PORT), Duration::from_millis(200)).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
    });
}

#[test]
fn other_addresses_are_left_alone() {
    let (bench, _plane) = ready(2);
    let direct: Vec<SocketAddr> =
        bench.web[0].addresses().iter().map(|&ip| SocketAddr::new(ip, TARGET)).collect();
    inside(&bench, &bench.client, || {
        for &target in &direct {
            assert_eq!(TcpStream::connect(target).unwrap().peer_addr().unwrap(), target);
        }
    });
}

#[test]
fn a_udp_socket_that_connects_elsewhere_forgets_the_service() {
    let (bench, _plane) = ready(1);
    let direct = SocketAddr::new(bench.web[0].ipv4().into(), TARGET);
    inside(&bench, &bench.client, || {
        let socket = udp(direct);
        socket.connect(at(VIP4, PORT)).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), at(VIP4, PORT));
        socket.connect(direct).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), direct);
        socket.send(b"hello").unwrap();
        assert_eq!(socket.recv_from(&mut [0; 64]).unwrap().1, direct);
    });
}

#[test]
fn unconnected_udp_moves_when_its_endpoint_goes() {
    let (bench, mut plane) = ready(2);
    inside(&bench, &bench.client, || {
        let target = at(VIP4, PORT);
        let socket = udp(target);
        let ask = || {
            let mut answer = [0; 64];
            socket.send_to(b"hello", target).unwrap();
            let (length, from) = socket.recv_from(&mut answer).unwrap();
            assert_eq!(from, target);
            String::from_utf8_lossy(&answer[..length.min(5)]).into_owned()
        };
        let first = ask();
        assert!((0..20).all(|_| ask() == first), "one backend while it lives");
        let only_the_other = |n: usize| {
            let whole = bench.mesh(2);
            let services = whole.services().map(|service| service.as_ref().clone());
            let workloads: Vec<_> = whole.workloads().map(|workload| workload.as_ref().clone()).collect();
            evermesh_model::Snapshot::new(services.collect::<Vec<_>>(), [workloads[n].clone()], []).unwrap()
        };
        let survivor = if first == "web-1" { 1 } else { 0 };
        plane.apply(&only_the_other(survivor)).unwrap();
        let second = ask();
        assert_ne!(second, first);
        assert!((0..20).all(|_| ask() == second));
    });
}

#[test]
fn closed_sockets_leave_no_entries() {
    use evermesh_abi::{Origin, UdpOrigin, UdpOriginKey};
    use evermesh_pins::{Inventory, Table, sys::map_pairs};
    use std::os::fd::AsFd;
    let (bench, _plane) = ready(2);
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let map = |table| inventory.frozen[&table].fd.as_fd();
    let origins = || map_pairs::<u64, Origin>(map(Table::Origins)).unwrap().len();
    let udp_origins = || map_pairs::<UdpOriginKey, UdpOrigin>(map(Table::UdpOrigins)).unwrap().len();
    inside(&bench, &bench.client, || {
        let streams = everywhere().map(|target| TcpStream::connect(target).unwrap());
        assert_eq!((origins(), udp_origins()), (3, 0));
        let sockets = everywhere().map(|target| {
            let socket = udp(target);
            socket.send_to(b"hello", target).unwrap();
            socket
        });
        assert_eq!((origins(), udp_origins()), (6, 9));
        drop(sockets);
        assert_eq!((origins(), udp_origins()), (3, 0));
        drop(streams);
        assert_eq!(origins(), 0);
    });
}

#[test]
fn a_socket_that_connects_again_is_shown_its_new_peer() {
    let (bench, _plane) = ready(2);
    inside(&bench, &bench.client, || {
        let [first, _, other] = everywhere();
        let socket = udp(other);
        for target in [other, other] {
            socket.connect(target).unwrap();
            assert_eq!(socket.peer_addr().unwrap(), target);
        }
        let socket = udp(first);
        socket.send_to(b"hello", first).unwrap();
        socket.connect(first).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), first);
    });
}
