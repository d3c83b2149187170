//! `NETLINK_SOCK_DIAG`: the sockets of the network namespace that the calling thread is in.

use std::{
    io,
    net::{self, IpAddr},
};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_sock_diag::{
    SockDiagDestroy, SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use nix::errno::Errno;

/// Messages are aligned to so many bytes.
const ALIGNMENT: usize = 4;

/// Of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A conversation with the kernel about sockets. It stays with the namespace it was opened in.
pub struct Diag(Socket);

impl Diag {
    /// `Unsupported`: the kernel cannot tell about sockets (`CONFIG_INET_DIAG`).
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_SOCK_DIAG).map_err(unsupported(Errno::EPROTONOSUPPORT))?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// All sockets that are connected, or about to be. `Unsupported`: the kernel cannot tell (`CONFIG_INET_TCP_DIAG`,
    /// `CONFIG_INET_UDP_DIAG`).
    pub fn connected(&self, protocol: Protocol) -> io::Result<Vec<SocketId>> {
        self.list(protocol, &(StateFlags::ESTABLISHED | StateFlags::SYN_SENT))
    }

    /// All TCP sockets that listen. `Unsupported`: the kernel cannot tell (`CONFIG_INET_TCP_DIAG`).
    pub fn listening(&self) -> io::Result<Vec<SocketId>> {
        self.list(Protocol::Tcp, &StateFlags::LISTEN)
    }

    fn list(&self, protocol: Protocol, states: &StateFlags) -> io::Result<Vec<SocketId>> {
        let mut sockets = Vec::new();
        for any in [SocketId::new_v4(), SocketId::new_v6()] {
            let request = SockDiagMessage::InetRequest(request(protocol, states.clone(), any));
            self.send(request, NLM_F_REQUEST | NLM_F_DUMP)?;
            self.collect(&mut sockets).map_err(unsupported(Errno::ENOENT))?;
        }
        Ok(sockets)
    }

    /// Destroys exactly this UDP socket; false: it is closed, or connected elsewhere, by now. `Unsupported`: the kernel cannot
    /// (`CONFIG_INET_DIAG_DESTROY`).
    pub fn destroy(&self, socket: SocketId) -> io::Result<bool> {
        let request = SockDiagMessage::InetRequest(request(Protocol::Udp, StateFlags::ESTABLISHED, socket));
        self.send(SockDiagDestroy::new(request), NLM_F_REQUEST | NLM_F_ACK)?;
        match self.collect(&mut Vec::new()) {
            Ok(()) => Ok(true),
            // Nobody has these addresses any more, or a socket with another cookie has them.
            Err(error) if is(&error, Errno::ENOENT) || is(&error, Errno::ESTALE) => Ok(false),
            Err(error) => Err(unsupported(Errno::EOPNOTSUPP)(error)),
        }
    }

    fn send<I: NetlinkSerializable>(&self, request: I, flags: u16) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.0.send(&bytes, 0).map(drop)
    }

    /// Reads to the end of the answer.
    fn collect(&self, sockets: &mut Vec<SocketId>) -> io::Result<()> {
        loop {
            let (bytes, _) = self.0.recv_from_full()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let message =
                    NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
                let length = (message.header.length as usize).next_multiple_of(ALIGNMENT);
                rest = rest.get(length..).unwrap_or_default();
                match message.payload {
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                        sockets.push(response.header.socket_id);
                    }
                    NetlinkPayload::Done(done) => return checked(done.code),
                    NetlinkPayload::Error(error) => return checked(error.raw_code()),
                    _ => {}
                }
            }
        }
    }
}

fn request(protocol: Protocol, states: StateFlags, socket_id: SocketId) -> InetRequest {
    let family = match socket_id.source_address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    };
    let protocol = match protocol {
        Protocol::Tcp => IPPROTO_TCP,
        Protocol::Udp => IPPROTO_UDP,
    };
    InetRequest { family, protocol, extensions: ExtensionFlags::empty(), states, socket_id }
}

/// The kernel hands it out as two words, the lower one first.
pub fn cookie_of(socket: &SocketId) -> u64 {
    let [a, b, c, d, e, f, g, h] = socket.cookie;
    let (low, high) = (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]));
    u64::from(high) << 32 | u64::from(low)
}

/// Where it is connected to. An IPv4 address is shown as one, also of an IPv6 socket.
pub fn peer_of(socket: &SocketId) -> net::SocketAddr {
    net::SocketAddr::new(socket.destination_address.to_canonical(), socket.destination_port)
}

/// What an acknowledgement or the end of a list says: 0, or an errno below it.
fn checked(code: i32) -> io::Result<()> {
    match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

/// `sign` is how the kernel says that it was built without.
fn unsupported(sign: Errno) -> impl Fn(io::Error) -> io::Error {
    move |error| if is(&error, sign) { io::ErrorKind::Unsupported.into() } else { error }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}
