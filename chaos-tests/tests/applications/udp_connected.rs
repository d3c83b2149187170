//! UDP sockets that are connected.

use std::{
    io::ErrorKind,
    net::{SocketAddr, UdpSocket},
};

use rustix::net::connect_unspec;

use crate::{
    bench::{Bench, ECHO, NOBODY, OTHER, SILENT, WEB, own, target},
    udp::{ask, name, socket},
};

fn connected(target: SocketAddr) -> UdpSocket {
    let socket = socket(target);
    socket.connect(target).unwrap();
    socket
}

/// Sends without an address, and takes the answer, which must come from `peer`. Says who answered.
fn ask_peer(socket: &UdpSocket, peer: SocketAddr) -> String {
    socket.send(b"hello").unwrap();
    let mut answer = [0; 64];
    let (length, from) = socket.recv_from(&mut answer).unwrap();
    assert_eq!(from, peer);
    name(&answer[..length])
}

#[test]
fn the_peer_is_the_virtual_ip_and_answers() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = connected(target);
            assert_eq!(socket.peer_addr().unwrap(), target);
            assert_eq!(socket.local_addr().unwrap().ip(), own(&bench.client, target));
            assert!(ask_peer(&socket, target).starts_with("web-"));
        }
    });
}

#[test]
fn connecting_again_to_the_same_service_takes_an_endpoint_anew() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = connected(target);
            let first = ask_peer(&socket, target);
            let other = (0..100).map(|_| {
                socket.connect(target).unwrap();
                assert_eq!(socket.peer_addr().unwrap(), target);
                ask_peer(&socket, target)
            });
            assert!({ other }.any(|name| name != first));
        }
    });
}

#[test]
fn connecting_again_to_another_service_goes_there() {
    let bench = Bench::new();
    bench.run(|| {
        for (web, other) in WEB.both(ECHO).into_iter().zip(OTHER.both(ECHO)) {
            let socket = connected(web);
            socket.connect(other).unwrap();
            assert_eq!(socket.peer_addr().unwrap(), other);
            assert_eq!(ask_peer(&socket, other), "other");
        }
    });
}

#[test]
fn connecting_again_to_no_service_shows_the_address_itself() {
    let bench = Bench::new();
    bench.run(|| {
        for web in WEB.both(ECHO) {
            for pod in bench.web.iter().chain([&bench.other]) {
                let direct = SocketAddr::new(own(pod, web), target(ECHO));
                let socket = connected(web);
                socket.connect(direct).unwrap();
                assert_eq!(socket.peer_addr().unwrap(), direct);
                assert_eq!(ask_peer(&socket, direct), pod.name());
            }
        }
    });
}

#[test]
fn a_refused_connect_leaves_the_socket_where_it_was() {
    let bench = Bench::new();
    bench.run(|| {
        for (web, nobody) in WEB.both(ECHO).into_iter().zip(NOBODY.both(ECHO)) {
            let socket = connected(web);
            let error = socket.connect(nobody).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            assert_eq!(socket.peer_addr().unwrap(), web);
            assert!(ask_peer(&socket, web).starts_with("web-"));
        }
    });
}

#[test]
fn a_disconnected_socket_keeps_to_its_endpoint() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = connected(target);
            let first = ask_peer(&socket, target);
            connect_unspec(&socket).unwrap();
            assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
            assert!((0..20).all(|_| ask(&socket, target) == first));
        }
    });
}

#[test]
fn a_disconnected_socket_moves_when_its_endpoint_goes() {
    let bench = Bench::new();
    bench.run(|| {
        let target = WEB.v4(ECHO);
        let socket = connected(target);
        let first = ask_peer(&socket, target);
        connect_unspec(&socket).unwrap();
        bench.take_away(&first);
        assert_ne!(ask(&socket, target), first);
    });
}

/// The kernel clears the port of the last peer and not its IPv6 address.
#[test]
fn a_disconnected_ipv6_socket_is_given_nothing_from_elsewhere() {
    let bench = Bench::new();
    bench.run(|| {
        let socket = connected(WEB.v6(ECHO));
        ask_peer(&socket, WEB.v6(ECHO));
        connect_unspec(&socket).unwrap();
        socket.send_to(b"hello", OTHER.v6(ECHO)).unwrap();
        assert!(ask(&socket, WEB.v6(ECHO)).starts_with("web-"));
        socket.set_nonblocking(true).unwrap();
        assert_eq!(socket.recv_from(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_datagram_to_the_same_address_keeps_to_the_endpoint() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = connected(target);
            let first = ask_peer(&socket, target);
            assert!((0..20).all(|_| ask(&socket, target) == first));
        }
    });
}

/// The kernel gives a connected socket nothing but what comes from its peer.
#[test]
fn a_datagram_to_another_address_goes_there_and_its_answer_is_lost() {
    let bench = Bench::new();
    bench.run(|| {
        for (web, other) in WEB.both(ECHO).into_iter().zip(OTHER.both(ECHO)) {
            let socket = connected(web);
            assert_eq!(socket.send_to(b"hello", other).unwrap(), 5);
            assert!((0..20).all(|_| ask_peer(&socket, web).starts_with("web-")));
            assert_eq!(socket.peer_addr().unwrap(), web);
            socket.set_nonblocking(true).unwrap();
            assert_eq!(socket.recv_from(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
    });
}

/// Nobody listens: the endpoint's host says so, and the kernel tells the socket.
#[test]
fn an_endpoint_that_does_not_listen_refuses() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(SILENT) {
            let socket = connected(target);
            socket.send(b"hello").unwrap();
            let error = socket.recv_from(&mut [0; 64]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            assert_eq!(socket.peer_addr().unwrap(), target);
        }
    });
}
