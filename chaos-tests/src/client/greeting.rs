use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    Outcome,
    expectation::{Answered, Failure},
    probe::tcp_socket,
};
use crate::server::{NAME_LEN, Name};

/// Connects, reads the server's name and resets the connection, so that no source port stays behind.
pub(super) fn attempt(target: SocketAddr) -> Answered {
    let socket = tcp_socket(target)?;
    socket.set_linger(Some(Duration::ZERO)).map_err(Failure::of("setsockopt"))?;
    socket.connect(&target.into()).map_err(Failure::of("connect"))?;
    read_name(&mut socket.into(), target)
}

/// Reads the name that every server says first; the connection must seem to be to `target`.
pub(super) fn read_name(stream: &mut TcpStream, target: SocketAddr) -> Answered {
    let mut name = [0; NAME_LEN];
    stream.read_exact(&mut name).map_err(Failure::of("recv"))?;
    if stream.peer_addr().map_err(Failure::of("getpeername"))? != target {
        return Err(Failure::Wrong(Outcome::WrongPeer));
    }
    Ok(Name::from_bytes(name))
}
