//! Sockets that change hands. What a socket is enrolled for goes with it: by its network namespace, and by the cgroup
//! in which it was made.

use std::{
    io::IoSlice,
    net::TcpStream,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Stdio,
};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::{
    bench::{Bench, ECHO, OTHER},
    python::python,
    udp,
};

#[test]
fn a_child_inherits_a_socket_with_its_virtual_ip() {
    let bench = Bench::new();
    bench.run(|| {
        for target in OTHER.both(ECHO) {
            let stream = TcpStream::connect(target).unwrap();
            let mut child = python(include_str!("inherited.py"));
            child.stdin(Stdio::from(OwnedFd::from(stream)));
            assert_eq!(bench.client.run(child).unwrap(), format!("{} other\n", target.ip()));
        }
    });
}

#[test]
fn a_socket_that_is_passed_to_another_pod_stays_what_it_was() {
    let bench = Bench::new();
    bench.run(|| {
        for target in OTHER.both(ECHO) {
            let stream = TcpStream::connect(target).unwrap();
            let datagrams = udp::socket(target);
            datagrams.connect(target).unwrap();
            let (mine, theirs) = UnixStream::pair().unwrap();
            let passed = [stream.as_raw_fd(), datagrams.as_raw_fd()];
            let rights = [ControlMessage::ScmRights(&passed)];
            sendmsg::<()>(mine.as_raw_fd(), &[IoSlice::new(b"!")], &rights, MsgFlags::empty(), None).unwrap();
            drop((stream, datagrams));
            let mut receiver = python(include_str!("passing.py"));
            receiver.stdin(Stdio::from(OwnedFd::from(theirs)));
            let told = bench.web[0].run(receiver).unwrap();
            assert_eq!(told, format!("{0} other\n{0} other\n", target.ip()));
        }
    });
}
