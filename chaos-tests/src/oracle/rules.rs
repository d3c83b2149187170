use std::fmt;

use nix::errno::Errno;

use crate::client::Outcome;

/// When a run counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// An event that fewer attempts overlap proves nothing.
    pub overlap_min: u64,
    /// How far "before" and "after" an event reach, in nanoseconds.
    pub window_ns: u64,
}

impl Default for Rules {
    fn default() -> Self {
        Self { overlap_min: 3, window_ns: 1_000_000_000 }
    }
}

/// Why a run proves nothing: neither that traffic noticed nor that it did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Void {
    /// There was no client at all.
    NoAttempts,
    /// A client ended without finishing its recording.
    ClientDied {
        /// The client.
        client: String,
    },
    /// A client made no attempt.
    ClientSilent {
        /// The client.
        client: String,
    },
    /// The machine ran out of source ports, descriptors or memory.
    Exhausted {
        /// How it showed.
        errno: Errno,
        /// How often.
        count: u64,
    },
    /// A server did not keep up with accepting.
    ListenOverflows {
        /// Its pod.
        pod: String,
        /// How often somebody was turned away.
        count: u64,
    },
    /// Too few attempts overlap an event.
    EventUnseen {
        /// Its kind.
        kind: String,
        /// Its place in the timeline.
        index: usize,
        /// How many overlap it.
        overlapping: u64,
    },
}

impl fmt::Display for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAttempts => write!(f, "nobody made any attempt"),
            Self::ClientDied { client } => write!(f, "client {client} did not finish its recording"),
            Self::ClientSilent { client } => write!(f, "client {client} made no attempt"),
            Self::Exhausted { errno, count } => write!(f, "the machine ran short: {errno:?}, {count} times"),
            Self::ListenOverflows { pod, count } => {
                write!(f, "the accept queue of {pod} overflowed {count} times")
            }
            Self::EventUnseen { kind, index, overlapping } => {
                write!(f, "only {overlapping} attempts overlap event {index} ({kind})")
            }
        }
    }
}

/// Whether an outcome says something about the machine instead of the mesh.
pub(super) fn exhaustion(outcome: Outcome) -> Option<Errno> {
    const SHORTAGES: [Errno; 5] =
        [Errno::EADDRNOTAVAIL, Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    match outcome {
        Outcome::Errno(errno) if SHORTAGES.contains(&errno) => Some(errno),
        _ => None,
    }
}
