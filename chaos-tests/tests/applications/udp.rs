//! UDP sockets that name a destination with each datagram.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
};

use nix::sys::socket::{setsockopt, sockopt};

use crate::bench::{Bench, ECHO, NOBODY, OTHER, PATIENCE, TWIN, WEB, own, target};

/// A socket of the family of `target`, also where that is v4-mapped.
pub fn socket(target: SocketAddr) -> UdpSocket {
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The name in an answer, which begins with it.
pub fn name(answer: &[u8]) -> String {
    String::from_utf8_lossy(&answer[..16]).trim_end_matches('\0').to_owned()
}

/// Sends a datagram, and takes the answer, which must come from where it went. Says who answered.
pub fn ask(socket: &UdpSocket, target: SocketAddr) -> String {
    socket.send_to(b"hello", target).unwrap();
    let mut answer = [0; 64];
    let (length, from) = socket.recv_from(&mut answer).unwrap();
    assert_eq!(from, target);
    name(&answer[..length])
}

/// Who seems to answer.
fn sender(socket: &UdpSocket, target: SocketAddr) -> SocketAddr {
    socket.send_to(b"hello", target).unwrap();
    socket.recv_from(&mut [0; 64]).unwrap().1
}

#[test]
fn answers_come_from_the_virtual_ip_and_one_endpoint() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = socket(target);
            let first = ask(&socket, target);
            assert!(first.starts_with("web-"));
            assert!((0..20).all(|_| ask(&socket, target) == first));
        }
    });
}

#[test]
fn datagrams_to_nobody_are_refused() {
    let bench = Bench::new();
    bench.run(|| {
        for nobody in NOBODY.both(ECHO).into_iter().chain(WEB.both(1)) {
            let error = socket(nobody).send_to(b"hello", nobody).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn one_socket_tells_two_services_apart() {
    let bench = Bench::new();
    bench.run(|| {
        for (web, other) in WEB.both(ECHO).into_iter().zip(OTHER.both(ECHO)) {
            let socket = socket(web);
            for target in [web, other, web, other] {
                socket.send_to(b"hello", target).unwrap();
            }
            let mut senders = [0; 4].map(|_| socket.recv_from(&mut [0; 64]).unwrap().1);
            senders.sort();
            assert_eq!(senders, [web, web, other, other]);
        }
    });
}

/// Nothing in an answer tells which datagram it answers: answers come from where the socket sent last.
#[test]
fn an_endpoint_that_is_asked_in_several_ways_answers_in_the_last_one() {
    let bench = Bench::new();
    bench.run(|| {
        for (other, twin) in OTHER.both(ECHO).into_iter().zip(TWIN.both(ECHO)) {
            let pod = SocketAddr::new(own(&bench.other, other), target(ECHO));
            let socket = socket(other);
            for way in [other, pod, twin, other, twin, pod, other, other, pod, pod] {
                assert_eq!(sender(&socket, way), way);
            }
        }
    });
}

#[test]
fn a_source_and_a_device_are_kept() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let source = SocketAddr::new(own(&bench.client, target), 4321);
            let socket = UdpSocket::bind(source).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            setsockopt(&socket, sockopt::BindToDevice, &"eth0".into()).unwrap();
            assert!(ask(&socket, target).starts_with("web-"));
            assert_eq!(socket.local_addr().unwrap(), source);
        }
    });
}

#[test]
fn a_socket_moves_when_its_endpoint_goes() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = socket(target);
            let first = ask(&socket, target);
            bench.take_away(&first);
            assert_ne!(ask(&socket, target), first);
        }
    });
}
