//! TCP fast open: data that goes with the first packet of a connection.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
};

use evermesh_chaos_tests::pod::Pod;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::Socket;

use crate::{
    bench::{Bench, OTHER, SILENT, target},
    tcp::{answer, peer, socket},
};

const QUESTION: &[u8] = b"who?";

/// Clients and servers, the latter also without asking for it.
const EVERYBODY: &str = "1027";

fn allow(pod: &Pod) {
    let enable = || fs::write("/proc/sys/net/ipv4/tcp_fastopen", EVERYBODY);
    pod.netns().enter(|| Ok(enable())).unwrap().unwrap();
}

/// A listener for [`SILENT`] behind [`OTHER`].
fn listener(pod: &Pod) -> TcpListener {
    allow(pod);
    pod.netns().enter(|| Ok(TcpListener::bind(("::", target(SILENT))).unwrap())).unwrap()
}

/// Sends the question twice to one endpoint: the first time the kernel is given a cookie, the second time the question
/// goes with the first packet.
fn ask_twice(bench: &Bench, listener: &TcpListener, frontend: SocketAddr, ask: impl Fn() -> Socket) {
    let successes = || bench.client.tcp_counter("TCPFastOpenActive").unwrap();
    let before = successes();
    for _ in 0..2 {
        let socket = ask();
        assert_eq!(peer(&socket), frontend);
        let mut question = [0; QUESTION.len()];
        let (mut accepted, _) = listener.accept().unwrap();
        accepted.read_exact(&mut question).unwrap();
        assert_eq!(question, QUESTION);
        accepted.write_all(b"other").unwrap();
        drop(accepted);
        assert_eq!(answer(socket), "other");
    }
    assert_eq!(successes(), before + 1);
}

#[test]
fn an_option_lets_the_first_write_connect() {
    let bench = Bench::new();
    allow(&bench.client);
    let listener = listener(&bench.other);
    bench.run(|| {
        for frontend in OTHER.both(SILENT) {
            ask_twice(&bench, &listener, frontend, || {
                let mut socket = socket(frontend);
                setsockopt(&socket, sockopt::TcpFastOpenConnect, &true).unwrap();
                socket.connect(&frontend.into()).unwrap();
                socket.write_all(QUESTION).unwrap();
                socket
            });
        }
    });
}

#[test]
fn a_flag_lets_sendto_connect() {
    let bench = Bench::new();
    allow(&bench.client);
    let listener = listener(&bench.other);
    bench.run(|| {
        for frontend in OTHER.both(SILENT) {
            ask_twice(&bench, &listener, frontend, || {
                let socket = socket(frontend);
                let sent = socket.send_to_with_flags(QUESTION, &frontend.into(), libc::MSG_FASTOPEN);
                assert_eq!(sent.unwrap(), QUESTION.len());
                socket
            });
        }
    });
}
