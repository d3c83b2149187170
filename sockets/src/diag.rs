//! `NETLINK_SOCK_DIAG`: the sockets of the network namespace that the calling thread is in.

use std::{io, net::IpAddr};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_sock_diag::{
    SockDiagDestroy, SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_UDP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use nix::errno::Errno;

/// Messages are aligned to so many bytes.
const ALIGNMENT: usize = 4;

/// A conversation with the kernel about sockets. It stays with the namespace it was opened in.
pub struct Diag(Socket);

impl Diag {
    /// `Unsupported`: the kernel cannot tell about sockets (`CONFIG_INET_DIAG`).
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(NETLINK_SOCK_DIAG).map_err(unsupported(Errno::EPROTONOSUPPORT))?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// All UDP sockets that are connected. `Unsupported`: the kernel cannot tell (`CONFIG_INET_UDP_DIAG`).
    pub fn connected_udp(&self) -> io::Result<Vec<SocketId>> {
        let mut sockets = Vec::new();
        for any in [SocketId::new_v4(), SocketId::new_v6()] {
            self.send(SockDiagMessage::InetRequest(udp(any)), NLM_F_REQUEST | NLM_F_DUMP)?;
            self.collect(&mut sockets).map_err(unsupported(Errno::ENOENT))?;
        }
        Ok(sockets)
    }

    /// Destroys exactly this socket; false: it is closed, or connected elsewhere, by now. `Unsupported`: the kernel cannot
    /// (`CONFIG_INET_DIAG_DESTROY`).
    pub fn destroy(&self, socket: SocketId) -> io::Result<bool> {
        let request = SockDiagMessage::InetRequest(udp(socket));
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

fn udp(socket_id: SocketId) -> InetRequest {
    let family = match socket_id.source_address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    };
    let (extensions, states) = (ExtensionFlags::empty(), StateFlags::ESTABLISHED);
    InetRequest { family, protocol: IPPROTO_UDP, extensions, states, socket_id }
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
