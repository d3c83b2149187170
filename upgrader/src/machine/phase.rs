use std::{
    fmt,
    time::{Duration, Instant},
};

use evermesh_handover::message;

use super::{Cause, Follower, Newcomer, Peer};
use crate::Exit;

/// Where a supervisor and its agent are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// An agent runs and must become ready.
    Starting {
        /// The latest time for it.
        ready_by: Instant,
    },
    /// An agent is ready.
    Running {
        /// When it became so.
        ready_at: Instant,
        /// When it last said that it is alive.
        heard_at: Instant,
    },
    /// Whoever ran last steps down, in a process of its own, before somebody else runs.
    SteppingDown {
        /// The latest time for its end.
        by: Instant,
        /// Who follows.
        next: Next,
    },
    /// An agent runs and will end.
    Stopping {
        /// What comes then.
        why: Why,
        /// When it is killed; none: it has been.
        kill_at: Option<Instant>,
    },
    /// There is no agent; the next one waits.
    Backoff {
        /// How long.
        until: Instant,
    },
    /// A new supervisor has the seat and must report.
    Yielded {
        /// Its connection.
        peer: Peer,
        /// The latest time for it.
        until: Instant,
    },
    /// The seat is to be taken from a new supervisor that has failed.
    TakingBack {
        /// Its connection.
        peer: Peer,
        /// When to try next.
        retry_at: Instant,
        /// When it is killed; none: it has been.
        kill_at: Option<Instant>,
    },
    /// It is over.
    Ended,
}

/// Who follows when somebody has stepped down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The committed release's agent. It follows also if nobody could step down.
    Committed {
        /// What the release that steps down for it said last.
        words: Option<String>,
    },
    /// The candidate's agent.
    Candidate,
    /// A new supervisor, which gets the seat.
    Newcomer(Newcomer),
}

impl Next {
    /// For whom somebody steps down.
    pub(super) fn follower(&self) -> Follower {
        match self {
            Self::Committed { .. } => Follower::Committed,
            Self::Candidate => Follower::Candidate,
            Self::Newcomer(Newcomer { release, accept_loss, .. }) => {
                Follower::Newcomer { release: release.clone(), accept_loss: accept_loss.clone() }
            }
        }
    }
}

/// Why an agent is made to end, and with that, what comes then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It said so; its exit tells the cause, and it is replaced.
    OwnWill,
    /// It is of no use any more, and is replaced.
    Useless(Cause),
    /// A new supervisor asked for the seat.
    Yield(Newcomer),
    /// A new supervisor asked for the seat and left before it got it.
    Unasked,
    /// Another release's agent is to take its place.
    Trial,
    /// It is to step down and does not; the committed release's agent is started all the same.
    Unsettled,
    /// The supervisor ends.
    End(Exit),
}

impl Phase {
    /// An agent's process exists, or that of a release that steps down.
    pub fn has_agent(&self) -> bool {
        matches!(
            self,
            Self::Starting { .. } | Self::Running { .. } | Self::SteppingDown { .. } | Self::Stopping { .. }
        )
    }

    /// The word of it for others.
    pub fn word(&self) -> message::Phase {
        match self {
            Self::Starting { .. } => message::Phase::Starting,
            Self::Running { .. } => message::Phase::Running,
            Self::SteppingDown { .. } => message::Phase::SteppingDown,
            Self::Stopping { .. } => message::Phase::Stopping,
            Self::Backoff { .. } => message::Phase::Backoff,
            Self::Yielded { .. } => message::Phase::Yielded,
            Self::TakingBack { .. } => message::Phase::TakingBack,
            Self::Ended => message::Phase::Ended,
        }
    }

    /// When a [`Tick`](super::Event::Tick) would change the phase, given how long a ready agent may be silent.
    pub fn deadline(&self, silence_max: Duration) -> Option<Instant> {
        match *self {
            Self::Starting { ready_by } => Some(ready_by),
            Self::SteppingDown { by, .. } => Some(by),
            Self::Running { heard_at, .. } => Some(heard_at + silence_max),
            Self::Stopping { kill_at, .. } => kill_at,
            Self::Backoff { until } | Self::Yielded { until, .. } => Some(until),
            Self::TakingBack { retry_at, .. } => Some(retry_at),
            Self::Ended => None,
        }
    }
}

/// For the log.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopping { why, .. } => write!(f, "stopping, because {why}"),
            other => write!(f, "{}", other.word()),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnWill => f.write_str("it says so"),
            Self::Useless(Cause::StartTimeout) => f.write_str("it did not become ready in time"),
            Self::Useless(_) => f.write_str("it hangs"),
            Self::Yield(_) | Self::Unasked => f.write_str("a new supervisor asked to take over"),
            Self::Trial => f.write_str("another release is to run"),
            Self::Unsettled => f.write_str("it did not step down in time"),
            Self::End(_) => f.write_str("the supervisor ends"),
        }
    }
}
