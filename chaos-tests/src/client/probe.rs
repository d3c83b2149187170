use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Kind, conversation::Conversation, datagram, expectation::Answered, greeting};

/// How long any single call of an attempt may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The state that a kind of client keeps between attempts.
pub(super) enum Probe {
    Greeting,
    Udp { count: u64 },
    UdpConnected { count: u64 },
    Stream { kept: HashMap<SocketAddr, Conversation> },
}

impl Probe {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Greeting => Self::Greeting,
            Kind::Udp => Self::Udp { count: 0 },
            Kind::UdpConnected => Self::UdpConnected { count: 0 },
            Kind::Stream => Self::Stream { kept: HashMap::new() },
        }
    }

    /// One attempt.
    pub(super) fn attempt(&mut self, target: SocketAddr) -> Answered {
        match self {
            Self::Greeting => greeting::attempt(target),
            Self::Udp { count } => datagram::unconnected(target, next(count)),
            Self::UdpConnected { count } => datagram::connected(target, next(count)),
            Self::Stream { kept } => match kept.remove(&target) {
                Some(conversation) => conversation.go_on().map(|c| keep(kept, target, c)),
                None => Conversation::begin(target).map(|c| keep(kept, target, c)),
            },
        }
    }
}

fn keep(
    kept: &mut HashMap<SocketAddr, Conversation>,
    target: SocketAddr,
    conversation: Conversation,
) -> crate::server::Name {
    let server = conversation.server();
    kept.insert(target, conversation);
    server
}

fn next(count: &mut u64) -> u64 {
    *count += 1;
    *count
}

/// A socket whose calls, `connect` among them, end after [`TIMEOUT`].
pub(super) fn tcp_socket(target: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    Ok(socket)
}

/// A socket that is bound to nothing: the first send or connect binds it.
pub(super) fn udp_socket(target: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(target), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_read_timeout(Some(TIMEOUT))?;
    Ok(socket.into())
}
