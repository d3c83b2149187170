use std::net::{SocketAddr, UdpSocket};

use super::{
    Outcome,
    expectation::{Answered, Failure},
    probe::udp_socket,
};
use crate::server::{NAME_LEN, Name};

const COUNT_LEN: usize = 8;

/// A new socket, `sendto` and `recvfrom`.
pub(super) fn unconnected(target: SocketAddr, count: u64) -> Answered {
    exchange(&udp_socket(target)?, target, count)
}

/// `sendto` and `recvfrom`: the answer must seem to come from `target`.
pub(super) fn exchange(socket: &UdpSocket, target: SocketAddr, count: u64) -> Answered {
    socket.send_to(&count.to_be_bytes(), target).map_err(Failure::of("sendto"))?;
    let mut answer = [0; NAME_LEN + COUNT_LEN];
    let (len, peer) = socket.recv_from(&mut answer).map_err(Failure::of("recvfrom"))?;
    if peer != target {
        return Err(Failure::Wrong(Outcome::WrongPeer));
    }
    check(&answer[..len], count)
}

/// A new socket, `connect`, `send` and `recv`.
pub(super) fn connected(target: SocketAddr, count: u64) -> Answered {
    talk(&connect(target)?, target, count)
}

/// A new socket that is connected.
pub(super) fn connect(target: SocketAddr) -> Result<UdpSocket, Failure> {
    let socket = udp_socket(target)?;
    socket.connect(target).map_err(Failure::of("connect"))?;
    Ok(socket)
}

/// `send` and `recv`: the socket must seem to be connected to `target`.
pub(super) fn talk(socket: &UdpSocket, target: SocketAddr, count: u64) -> Answered {
    socket.send(&count.to_be_bytes()).map_err(Failure::of("send"))?;
    let mut answer = [0; NAME_LEN + COUNT_LEN];
    let len = socket.recv(&mut answer).map_err(Failure::of("recv"))?;
    if socket.peer_addr().map_err(Failure::of("getpeername"))? != target {
        return Err(Failure::Wrong(Outcome::WrongPeer));
    }
    check(&answer[..len], count)
}

fn check(answer: &[u8], count: u64) -> Answered {
    match answer.split_first_chunk() {
        Some((name, echo)) if echo == count.to_be_bytes() => Ok(Name::from_bytes(*name)),
        _ => Err(Failure::Wrong(Outcome::WrongData)),
    }
}
