//! IPv4 services through IPv6 sockets.

use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};

use crate::{
    bench::{Bench, ECHO, PATIENCE, WEB},
    tcp, udp,
};

fn mapped(target: SocketAddr) -> SocketAddr {
    match target.ip() {
        IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), target.port()),
        IpAddr::V6(_) => target,
    }
}

#[test]
fn tcp_to_a_mapped_address_is_shown_it() {
    let bench = Bench::new();
    bench.run(|| {
        let target = mapped(WEB.v4(ECHO));
        let stream = TcpStream::connect(target).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), target);
        assert_eq!(stream.local_addr().unwrap().ip().to_canonical(), IpAddr::from(bench.client.ipv4()));
        assert!(tcp::answer(stream).starts_with("web-"));
    });
}

#[test]
fn unconnected_udp_to_a_mapped_address_is_answered_by_it() {
    let bench = Bench::new();
    bench.run(|| {
        let target = mapped(WEB.v4(ECHO));
        let socket = udp::socket(target);
        assert!(udp::ask(&socket, target).starts_with("web-"));
    });
}

#[test]
fn connected_udp_to_a_mapped_address_is_answered_by_it() {
    let bench = Bench::new();
    bench.run(|| {
        let target = mapped(WEB.v4(ECHO));
        let socket = UdpSocket::bind("[::]:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(target).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), target);
        socket.send(b"hello").unwrap();
        assert_eq!(socket.recv_from(&mut [0; 64]).unwrap().1, target);
    });
}
