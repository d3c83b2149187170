use std::{fmt, net::IpAddr};

use clap::ValueEnum;
use nix::errno::Errno;

use crate::server::Name;

/// Bytes of an encoded [`Attempt`].
pub const ATTEMPT_LEN: usize = 40;

/// What a client does again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
#[repr(u8)]
pub enum Kind {
    /// New TCP connection: the server's name is read, the connection reset.
    Greeting = 1,
    /// One message and its answer on a TCP connection that is kept; the connection's own set-up is an attempt too.
    Stream = 2,
    /// A datagram from a new socket, unconnected, and its answer.
    Udp = 3,
    /// A datagram from a new connected socket, and its answer.
    UdpConnected = 4,
    /// A datagram from an unconnected socket that is kept, and its answer.
    UdpKept = 5,
    /// A datagram from a connected socket that is kept, and its answer. A socket that was destroyed, as those are whose
    /// endpoint is gone, is replaced by another one within the attempt.
    UdpConnectedKept = 6,
}

/// By which kind of socket, to which kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// An IPv4 socket.
    V4 = 4,
    /// An IPv6 socket.
    V6 = 6,
    /// An IPv6 socket to a v4-mapped address.
    Mapped = 46,
}

impl Family {
    /// Of a target as it is given on the command line.
    pub fn of(target: IpAddr) -> Self {
        match target {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => Self::Mapped,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// How an attempt ended, against what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, as expected.
    Ok,
    /// Refused, as expected.
    Refused,
    /// A system call failed.
    Errno(Errno),
    /// Nothing happened within the time-out.
    Timeout,
    /// The connection ended before the answer.
    Closed,
    /// Somebody answered who was not expected to.
    WrongServer(Name),
    /// The answer, or the connection, is from another address than the one that was asked.
    WrongPeer,
    /// The answer is not the one to this question.
    WrongData,
    /// It should have been refused, and was not.
    NotRefused,
}

impl Outcome {
    /// Whether it is not what was expected.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Refused)
    }

    fn to_parts(self) -> (u8, i32, Option<Name>) {
        match self {
            Self::Ok => (0, 0, None),
            Self::Errno(errno) => (1, errno as i32, None),
            Self::Timeout => (2, 0, None),
            Self::Closed => (3, 0, None),
            Self::WrongServer(name) => (4, 0, Some(name)),
            Self::WrongPeer => (5, 0, None),
            Self::WrongData => (6, 0, None),
            Self::NotRefused => (7, 0, None),
            Self::Refused => (8, 0, None),
        }
    }

    fn from_parts(code: u8, errno: i32, name: Name) -> Option<Self> {
        Some(match code {
            0 => Self::Ok,
            1 => Self::Errno(Errno::from_raw(errno)),
            2 => Self::Timeout,
            3 => Self::Closed,
            4 => Self::WrongServer(name),
            5 => Self::WrongPeer,
            6 => Self::WrongData,
            7 => Self::NotRefused,
            8 => Self::Refused,
            _ => return None,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => write!(f, "ok"),
            Self::Refused => write!(f, "refused"),
            Self::Errno(errno) => write!(f, "{errno:?}"),
            Self::Timeout => write!(f, "timeout"),
            Self::Closed => write!(f, "closed early"),
            Self::WrongServer(name) => write!(f, "wrong server {name}"),
            Self::WrongPeer => write!(f, "wrong peer"),
            Self::WrongData => write!(f, "wrong data"),
            Self::NotRefused => write!(f, "not refused"),
        }
    }
}

/// One attempt of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// When it was over.
    pub end_ns: u64,
    /// What was tried.
    pub kind: Kind,
    /// By which family.
    pub family: Family,
    /// How it ended.
    pub outcome: Outcome,
}

impl Attempt {
    /// How long it took.
    pub fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    pub(super) fn to_bytes(self) -> [u8; ATTEMPT_LEN] {
        let (code, errno, name) = self.outcome.to_parts();
        let mut bytes = [0; ATTEMPT_LEN];
        bytes[0..8].copy_from_slice(&self.start_ns.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.end_ns.to_le_bytes());
        bytes[16..20].copy_from_slice(&errno.to_le_bytes());
        bytes[20..23].copy_from_slice(&[self.kind as u8, self.family as u8, code]);
        if let Some(name) = name {
            bytes[24..40].copy_from_slice(name.as_bytes());
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; ATTEMPT_LEN]) -> Option<Self> {
        let errno = i32::from_le_bytes(part(bytes, 16));
        let name = Name::from_bytes(part(bytes, 24));
        Some(Self {
            start_ns: u64::from_le_bytes(part(bytes, 0)),
            end_ns: u64::from_le_bytes(part(bytes, 8)),
            kind: Kind::value_variants().iter().copied().find(|&k| k as u8 == bytes[20])?,
            family: [Family::V4, Family::V6, Family::Mapped].into_iter().find(|&f| f as u8 == bytes[21])?,
            outcome: Outcome::from_parts(bytes[22], errno, name)?,
        })
    }
}

fn part<const N: usize>(bytes: &[u8; ATTEMPT_LEN], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_survives_its_bytes() {
        let stranger = Outcome::WrongServer("stranger".parse().unwrap());
        let errno = Outcome::Errno(Errno::ECONNRESET);
        let plain = [
            Outcome::Ok,
            Outcome::Refused,
            Outcome::Timeout,
            Outcome::Closed,
            Outcome::WrongPeer,
            Outcome::WrongData,
        ];
        for outcome in plain.into_iter().chain([stranger, errno, Outcome::NotRefused]) {
            let attempt = Attempt {
                start_ns: 1,
                end_ns: u64::MAX,
                kind: Kind::UdpConnected,
                family: Family::Mapped,
                outcome,
            };
            assert_eq!(Attempt::from_bytes(&attempt.to_bytes()), Some(attempt));
        }
    }

    #[test]
    fn unknown_bytes_are_no_attempt() {
        assert_eq!(Attempt::from_bytes(&[0xff; ATTEMPT_LEN]), None);
    }

    #[test]
    fn families_are_told_apart() {
        let of = |text: &str| Family::of(text.parse().unwrap());
        assert_eq!(of("10.96.0.1"), Family::V4);
        assert_eq!(of("fd00:96::1"), Family::V6);
        assert_eq!(of("::ffff:10.96.0.1"), Family::Mapped);
    }
}
