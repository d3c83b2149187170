//! TCP sockets.

use std::{
    io::{ErrorKind, Read},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{setsockopt, sockopt},
};
use rustix::net::connect_unspec;
use socket2::{Domain, Protocol, Socket, Type};

use crate::bench::{Bench, ECHO, NOBODY, OTHER, PATIENCE, SILENT, WEB, own};

pub fn socket(target: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub fn peer(socket: &Socket) -> SocketAddr {
    socket.peer_addr().unwrap().as_socket().unwrap()
}

/// What the server at the other end says, to its end.
pub fn answer(mut socket: impl Read) -> String {
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text.trim_end_matches('\0').to_owned()
}

fn refused(socket: &Socket, target: SocketAddr) {
    let error = socket.connect(&target.into()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{target}");
}

#[test]
fn a_connection_shows_the_virtual_ip_and_the_pods_own_address() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let stream = TcpStream::connect(target).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), target);
            assert_eq!(stream.local_addr().unwrap().ip(), own(&bench.client, target));
            assert!(answer(stream).starts_with("web-"));
        }
    });
}

#[test]
fn an_address_of_no_service_is_left_alone() {
    let bench = Bench::new();
    bench.run(|| {
        for like in WEB.both(ECHO) {
            let target = SocketAddr::new(own(&bench.other, like), crate::bench::target(ECHO));
            let stream = TcpStream::connect(target).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), target);
            assert_eq!(answer(stream), "other");
        }
    });
}

#[test]
fn a_socket_that_was_refused_by_the_mesh_connects_again() {
    let bench = Bench::new();
    bench.run(|| {
        for (nobody, target) in NOBODY.both(ECHO).into_iter().zip(WEB.both(ECHO)) {
            let socket = socket(target);
            refused(&socket, nobody);
            refused(&socket, SocketAddr::new(target.ip(), 1));
            socket.connect(&target.into()).unwrap();
            assert_eq!(peer(&socket), target);
        }
    });
}

#[test]
fn a_socket_that_was_refused_by_an_endpoint_connects_again() {
    let bench = Bench::new();
    bench.run(|| {
        for (silent, target) in WEB.both(SILENT).into_iter().zip(OTHER.both(ECHO)) {
            let socket = socket(target);
            refused(&socket, silent);
            refused(&socket, silent);
            socket.connect(&target.into()).unwrap();
            assert_eq!(peer(&socket), target);
        }
    });
}

#[test]
fn a_second_connect_says_that_the_first_one_stands() {
    let bench = Bench::new();
    bench.run(|| {
        for (target, other) in WEB.both(ECHO).into_iter().zip(OTHER.both(ECHO)) {
            let socket = socket(target);
            socket.connect(&target.into()).unwrap();
            let error = socket.connect(&other.into()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EISCONN));
            assert_eq!(peer(&socket), target);
        }
    });
}

#[test]
fn a_connect_that_does_not_block_is_awaited_with_poll() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let socket = socket(target);
            socket.set_nonblocking(true).unwrap();
            let begun = socket.connect(&target.into()).unwrap_err();
            assert_eq!(begun.raw_os_error(), Some(libc::EINPROGRESS));
            let mut awaited = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
            assert_eq!(poll(&mut awaited, PollTimeout::try_from(PATIENCE).unwrap()).unwrap(), 1);
            assert!(socket.take_error().unwrap().is_none());
            socket.connect(&target.into()).unwrap();
            let error = socket.connect(&target.into()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EISCONN));
            assert_eq!(peer(&socket), target);
        }
    });
}

#[test]
fn a_socket_that_is_disconnected_connects_elsewhere() {
    let bench = Bench::new();
    bench.run(|| {
        for (target, other) in WEB.both(ECHO).into_iter().zip(OTHER.both(ECHO)) {
            let socket = socket(target);
            socket.connect(&target.into()).unwrap();
            connect_unspec(&socket).unwrap();
            assert_eq!(socket.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
            socket.connect(&other.into()).unwrap();
            assert_eq!(peer(&socket), other);
            assert_eq!(answer(socket), "other");
        }
    });
}

#[test]
fn a_source_and_a_device_are_kept() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let source = SocketAddr::new(own(&bench.client, target), 4321);
            let socket = socket(target);
            setsockopt(&socket, sockopt::BindToDevice, &"eth0".into()).unwrap();
            socket.bind(&source.into()).unwrap();
            socket.connect(&target.into()).unwrap();
            assert_eq!(socket.local_addr().unwrap().as_socket(), Some(source));
            assert_eq!(peer(&socket), target);
        }
    });
}

#[test]
fn a_dual_stack_listener_behind_a_service_sees_its_client() {
    let bench = Bench::new();
    bench.run(|| {
        let listen = || Ok(TcpListener::bind(("::", crate::bench::target(SILENT))).unwrap());
        let listener = bench.other.netns().enter(listen).unwrap();
        for target in OTHER.both(SILENT) {
            let stream = TcpStream::connect(target).unwrap();
            let (accepted, client) = listener.accept().unwrap();
            assert_eq!(client.ip().to_canonical(), own(&bench.client, target));
            assert_eq!(client.port(), stream.local_addr().unwrap().port());
            assert_eq!(accepted.peer_addr().unwrap(), client);
            assert_eq!(accepted.local_addr().unwrap().ip().to_canonical(), own(&bench.other, target));
        }
    });
}
