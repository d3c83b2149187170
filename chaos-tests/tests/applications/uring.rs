//! Sockets that are driven through io_uring.
#![expect(unsafe_code, reason = "the kernel follows the pointers of a submission")]

use std::{net::SocketAddr, os::fd::AsRawFd, ptr};

use io_uring::{IoUring, opcode, squeue::Entry, types::Fd};
use socket2::SockAddr;

use crate::{
    bench::{Bench, ECHO, HTTP, WEB},
    tcp::{answer, peer, socket},
    udp,
};

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// Has the kernel do one thing, and gives what the system call of that name would have returned.
///
/// # Safety
/// What the entry points to must be valid until this returns.
unsafe fn perform(entry: &Entry) -> i32 {
    let mut ring = IoUring::new(1).unwrap();
    // SAFETY: the caller's promise; the entry is done when the wait for it is over.
    unsafe { ring.submission().push(entry) }.unwrap();
    ring.submit_and_wait(1).unwrap();
    ring.completion().next().unwrap().result()
}

/// A message to or from one address, in one piece.
fn header(address: &mut SockAddr, piece: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: all of it may be zero.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = ptr::from_mut(address).cast();
    header.msg_namelen = address.len();
    header.msg_iov = piece;
    header.msg_iovlen = 1;
    header
}

#[test]
fn a_ring_connects_and_sends() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(HTTP) {
            let (socket, to) = (socket(target), SockAddr::from(target));
            let fd = Fd(socket.as_raw_fd());
            let connect = opcode::Connect::new(fd, to.as_ptr().cast(), to.len()).build();
            // SAFETY: the address lives here.
            assert_eq!(unsafe { perform(&connect) }, 0);
            let length = u32::try_from(REQUEST.len()).unwrap();
            let send = opcode::Send::new(fd, REQUEST.as_ptr(), length).build();
            // SAFETY: the request is a constant.
            assert_eq!(unsafe { perform(&send) }, length.cast_signed());
            assert_eq!(peer(&socket), target);
            assert!(answer(socket).contains("web-"));
        }
    });
}

#[test]
fn a_ring_exchanges_datagrams() {
    let bench = Bench::new();
    bench.run(|| {
        for target in WEB.both(ECHO) {
            let (socket, mut to, mut data) = (udp::socket(target), SockAddr::from(target), [0; 64]);
            let fd = Fd(socket.as_raw_fd());
            let mut piece = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: 5 };
            let message = header(&mut to, &mut piece);
            // SAFETY: address and data live here.
            assert_eq!(unsafe { perform(&opcode::SendMsg::new(fd, &raw const message).build()) }, 5);
            let mut from = SockAddr::from(SocketAddr::new(target.ip(), 0));
            piece.iov_len = data.len();
            let mut message = header(&mut from, &mut piece);
            // SAFETY: address and data live here.
            let length = unsafe { perform(&opcode::RecvMsg::new(fd, &raw mut message).build()) };
            assert_eq!(length, 16 + 5);
            assert_eq!(from.as_socket(), Some(target));
        }
    });
}
