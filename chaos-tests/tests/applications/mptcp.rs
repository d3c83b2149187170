//! Multipath TCP sockets, which stand before the kernel's own TCP sockets.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::{
    bench::{Bench, ECHO, PATIENCE, WEB, own, target},
    tcp::{answer, peer},
};

fn socket(target: SocketAddr) -> Socket {
    let mptcp = Protocol::from(libc::IPPROTO_MPTCP);
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(mptcp)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[test]
fn a_multipath_socket_is_served_and_sees_the_endpoint() {
    let bench = Bench::new();
    bench.run(|| {
        for frontend in WEB.both(ECHO) {
            let socket = socket(frontend);
            socket.connect(&frontend.into()).unwrap();
            let seen = peer(&socket);
            let endpoints = bench.web.each_ref().map(|pod| SocketAddr::new(own(pod, frontend), target(ECHO)));
            assert!(endpoints.contains(&seen), "{seen}");
            assert!(answer(socket).starts_with("web-"));
        }
    });
}
