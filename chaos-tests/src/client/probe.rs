use std::{
    collections::HashMap,
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{
    Kind,
    conversation::Conversation,
    datagram,
    expectation::{Answered, Failure},
    greeting,
};
use crate::wait::stretched;

/// How long any single call of an attempt may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The state that a kind of client keeps between attempts. What failed is not kept.
pub(super) enum Probe {
    Greeting,
    Stream { kept: HashMap<SocketAddr, Conversation> },
    Udp { count: u64 },
    UdpConnected { count: u64 },
    UdpKept { count: u64, kept: HashMap<SocketAddr, UdpSocket> },
    UdpConnectedKept { count: u64, kept: HashMap<SocketAddr, UdpSocket> },
}

impl Probe {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Greeting => Self::Greeting,
            Kind::Stream => Self::Stream { kept: HashMap::new() },
            Kind::Udp => Self::Udp { count: 0 },
            Kind::UdpConnected => Self::UdpConnected { count: 0 },
            Kind::UdpKept => Self::UdpKept { count: 0, kept: HashMap::new() },
            Kind::UdpConnectedKept => Self::UdpConnectedKept { count: 0, kept: HashMap::new() },
        }
    }

    /// One attempt.
    pub(super) fn attempt(&mut self, target: SocketAddr) -> Answered {
        match self {
            Self::Greeting => greeting::attempt(target),
            Self::Stream { kept } => converse(kept, target),
            Self::Udp { count } => datagram::unconnected(target, next(count)),
            Self::UdpConnected { count } => datagram::connected(target, next(count)),
            Self::UdpKept { count, kept } => exchange(kept, target, next(count)),
            Self::UdpConnectedKept { count, kept } => talk(kept, target, next(count)),
        }
    }
}

fn converse(kept: &mut HashMap<SocketAddr, Conversation>, target: SocketAddr) -> Answered {
    let conversation = match kept.remove(&target) {
        Some(conversation) => conversation.go_on()?,
        None => Conversation::begin(target)?,
    };
    let server = conversation.server();
    kept.insert(target, conversation);
    Ok(server)
}

fn exchange(kept: &mut HashMap<SocketAddr, UdpSocket>, target: SocketAddr, count: u64) -> Answered {
    let socket = kept.remove(&target).map_or_else(|| udp_socket(target), Ok)?;
    let server = datagram::exchange(&socket, target, count)?;
    kept.insert(target, socket);
    Ok(server)
}

fn talk(kept: &mut HashMap<SocketAddr, UdpSocket>, target: SocketAddr, count: u64) -> Answered {
    let mut socket = kept.remove(&target).map_or_else(|| datagram::connect(target), Ok)?;
    let mut answered = datagram::talk(&socket, target, count);
    if let Err(failure) = &answered
        && failure.is_destruction()
    {
        let told = |failed: &Failure| eprintln!("{failed}, after {failure}");
        socket = datagram::connect(target).inspect_err(told)?;
        answered = datagram::talk(&socket, target, count).inspect_err(told);
    }
    let server = answered?;
    kept.insert(target, socket);
    Ok(server)
}

fn next(count: &mut u64) -> u64 {
    *count += 1;
    *count
}

/// A socket whose calls, `connect` among them, end after [`TIMEOUT`], [`stretched`].
pub(super) fn tcp_socket(target: SocketAddr) -> Result<Socket, Failure> {
    let socket = patient(target, Type::STREAM, Protocol::TCP)?;
    socket.set_write_timeout(Some(stretched(TIMEOUT))).map_err(Failure::of("setsockopt"))?;
    Ok(socket)
}

/// A socket that is bound to nothing: the first send or connect binds it.
pub(super) fn udp_socket(target: SocketAddr) -> Result<UdpSocket, Failure> {
    patient(target, Type::DGRAM, Protocol::UDP).map(Into::into)
}

fn patient(target: SocketAddr, kind: Type, protocol: Protocol) -> Result<Socket, Failure> {
    let socket =
        Socket::new(Domain::for_address(target), kind, Some(protocol)).map_err(Failure::of("socket"))?;
    socket.set_read_timeout(Some(stretched(TIMEOUT))).map_err(Failure::of("setsockopt"))?;
    Ok(socket)
}
