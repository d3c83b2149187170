//! UDP with messages: several at once, in segments, with addresses and errors beside the data.

use std::{
    io::{IoSlice, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::AsRawFd,
};

use nix::{
    cmsg_space,
    sys::{
        socket::{
            ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrIn, SockaddrStorage,
            recvmmsg, recvmsg, sendmmsg, sendmsg, setsockopt, sockopt,
        },
        time::TimeSpec,
    },
};

use crate::{
    bench::{Bench, ECHO, OTHER, PATIENCE, SILENT, WEB, own, target},
    udp::socket,
};

#[test]
fn several_messages_at_once_go_to_several_services() {
    let bench = Bench::new();
    bench.run(|| {
        for (web, other) in WEB.both(ECHO).into_iter().zip(OTHER.both(ECHO)) {
            let socket = socket(web);
            send_at_once(&socket, &[web, other, web]);
            let mut senders = receive_at_once(&socket, 3);
            senders.sort();
            assert_eq!(senders, [web, web, other]);
        }
    });
}

fn send_at_once(socket: &UdpSocket, targets: &[SocketAddr]) {
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(targets.len(), None);
    let slices: Vec<[IoSlice<'_>; 1]> = targets.iter().map(|_| [IoSlice::new(b"hello")]).collect();
    let addresses: Vec<Option<SockaddrStorage>> = targets.iter().map(|&target| Some(target.into())).collect();
    let nothing = Vec::<ControlMessage<'_>>::new();
    let sent =
        sendmmsg(socket.as_raw_fd(), &mut headers, &slices, addresses, nothing, MsgFlags::empty()).unwrap();
    assert_eq!(sent.count(), targets.len());
}

/// Senders of the next `count` messages.
fn receive_at_once(socket: &UdpSocket, count: usize) -> Vec<SocketAddr> {
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(count, None);
    let mut buffers = vec![[0; 64]; count];
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|b| [IoSliceMut::new(b)]).collect();
    let patience = Some(TimeSpec::from(PATIENCE));
    let received =
        recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::empty(), patience).unwrap();
    received.map(|message| address(message.address.unwrap())).collect()
}

fn address(storage: SockaddrStorage) -> SocketAddr {
    let v4 = storage.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
    v4.or_else(|| storage.as_sockaddr_in6().map(|&v6| SocketAddrV6::from(v6).into())).unwrap()
}

/// What QUIC stacks do: one call sends several datagrams, and tells with each that arrives to which address it came.
#[test]
fn segments_go_to_one_endpoint_and_answers_tell_where_they_arrived() {
    const SEGMENT: u16 = 100;
    let bench = Bench::new();
    bench.run(|| {
        let target = WEB.v4(ECHO);
        let socket = socket(target);
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true).unwrap();
        setsockopt(&socket, sockopt::UdpGroSegment, &true).unwrap();
        let data = [7; 3 * SEGMENT as usize];
        let (slices, segments) = ([IoSlice::new(&data)], [ControlMessage::UdpGsoSegments(&SEGMENT)]);
        let to = SockaddrStorage::from(target);
        sendmsg(socket.as_raw_fd(), &slices, &segments, MsgFlags::empty(), Some(&to)).unwrap();
        // Each of the three comes back with the server's name in front.
        let mut left = 3 * (usize::from(SEGMENT) + 16);
        while left > 0 {
            let (length, from, to) = receive(&socket);
            assert_eq!((from, to), (target, own(&bench.client, target)));
            left -= length;
        }
    });
}

/// Length, sender and destination of what arrives next: one datagram, or several that the kernel has joined.
fn receive(socket: &UdpSocket) -> (usize, SocketAddr, IpAddr) {
    let mut data = [0; 4096];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut control = cmsg_space!(libc::in_pktinfo, i32);
    let received =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty())
            .unwrap();
    let arrived = received.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => Some(info.ipi_addr.s_addr),
        _ => None,
    });
    let to = Ipv4Addr::from(arrived.unwrap().to_ne_bytes());
    (received.bytes, address(received.address.unwrap()), to.into())
}

/// The kernel has no hook there.
#[test]
fn the_error_queue_tells_of_the_endpoint() {
    let bench = Bench::new();
    bench.run(|| {
        let socket = socket(WEB.v4(SILENT));
        setsockopt(&socket, sockopt::Ipv4RecvErr, &true).unwrap();
        socket.send_to(b"hello", WEB.v4(SILENT)).unwrap();
        let error = socket.recv_from(&mut [0; 64]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        let (errno, went_to) = queued_error(&socket);
        assert_eq!(errno, libc::ECONNREFUSED);
        let endpoints = bench.web.each_ref().map(|pod| SocketAddrV4::new(pod.ipv4(), target(SILENT)));
        assert!(endpoints.contains(&went_to), "{went_to}");
    });
}

/// The error at the head of the queue, and where the datagram went that it is about.
fn queued_error(socket: &UdpSocket) -> (i32, SocketAddrV4) {
    let mut data = [0; 64];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut control = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in);
    let flags = MsgFlags::MSG_ERRQUEUE;
    let received = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).unwrap();
    let error = received.cmsgs().unwrap().find_map(|message| match message {
        ControlMessageOwned::Ipv4RecvErr(error, _) => Some(error.ee_errno.cast_signed()),
        _ => None,
    });
    (error.unwrap(), received.address.unwrap().into())
}
