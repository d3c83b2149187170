//! What is said on the supervisor's control socket, `supervisor.sock` in the run directory.
//!
//! The socket has mode 0600; the supervisor answers root and its own user only. One message is one line: a JSON
//! object of at most [`LINE_BYTES_MAX`] bytes with the fields `version` and `message`, the latter tagged by
//! `kind`:
//!
//! ```text
//! -> {"version":0,"message":{"kind":"ask","release":"0.1.0","pid":4711,"commit_within_ms":150000}}
//! <- {"version":0,"message":{"kind":"yielded"}}
//! -> {"version":0,"message":{"kind":"commit"}}
//! ```
//!
//! A takeover goes: the new supervisor says [`Request::Ask`]; the old one stops its agent, has its release step down
//! where the new one's agent needs that, gives up lock and sockets, says [`Answer::Yielded`] and stays alive; the new one takes them and starts its agent, then says
//! [`Request::Commit`], at which the old one ends, or [`Request::Rollback`]. The old one takes everything back
//! at a rollback, when the connection closes, or when nothing was said in time; it says [`Answer::TakenBack`] then.
//! **The lock decides**: neither side runs an agent without holding it, so a `commit` that crosses a `taken_back`
//! does no harm.
//!
//! # What may change, and what may not
//!
//! A supervisor of any release must be able to take over from one of any other release. Therefore:
//!
//! - The framing, the names `version`, `message` and `kind`, and the answer `refused` with all its fields never
//!   change, in no version.
//! - Within a version: a field is never removed, renamed, or given another meaning or unit. A field may be added
//!   if its absence means what happened before; a reader ignores fields that it does not know.
//! - A kind may be added; whoever does not know it answers `refused`, and the connection stays usable.
//! - Words may be added to [`Phase`] and to the causes in [`State::restarts`]. An unknown word of [`Intent`] is
//!   read as `restart`.
//! - Anything else needs a new version. A release that speaks a new version keeps speaking version 0.
//!   Whoever asks in a version that the other side does not speak is told the versions that it does, before
//!   anything has moved.

mod lines;
mod releases;
mod state;
mod wire;

use serde::{Deserialize, Serialize};

pub use lines::{LineTooLong, Lines};
pub use releases::{Candidate, Releases, TrialEnd};
pub use state::{Phase, State};
pub use wire::{LINE_BYTES_MAX, Unreadable, VERSION, decode, encode};

use crate::{
    Intent,
    gate::{Evidence, Verdict},
};

/// What a supervisor is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// A new supervisor wants to take over. Answered by [`Answer::Yielded`] once the agent has ended, or by
    /// [`Answer::Refused`], at once or when stepping down has failed.
    Ask {
        /// The asking release, for the log.
        release: String,
        /// The asking process as it sees itself, for the log.
        pid: u32,
        /// How long after `yielded` the old supervisor waits for a word before it takes back, in milliseconds.
        /// Absent: two minutes. More than an hour counts as an hour.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit_within_ms: Option<u64>,
        /// The digest of the release whose agent it will start, which is staged in the state directory that both have: the
        /// old supervisor has the committed release step down first, if that agent needs it. Absent: nothing steps down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
    },
    /// The same, and its agent may do without what stands in these maps, where nothing can carry it over. A kind of its own, like
    /// [`Self::UpgradeWithLoss`].
    AskWithLoss {
        /// The asking release, for the log.
        release: String,
        /// The asking process as it sees itself, for the log.
        pid: u32,
        /// As in [`Self::Ask`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commit_within_ms: Option<u64>,
        /// As in [`Self::Ask`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<String>,
        /// The maps, by name. Only agents understand them.
        accept_loss: Vec<String>,
    },
    /// The new supervisor has proven itself; the old one ends. Not answered: the connection closes.
    Commit,
    /// The new supervisor gives up, and has already released lock and sockets. Answered by [`Answer::TakenBack`].
    Rollback,
    /// Stop the agent and end. Answered by [`Answer::Stopping`] at once; the connection closes when all has ended.
    Stop {
        /// Why. The one who asks has recorded it durably if it must outlive the supervisor.
        intent: Intent,
    },
    /// Say how you are. Answered by [`Answer::State`].
    Status,
    /// The agent has led traffic to another generation and wants to know what becomes of it. Answered by
    /// [`Answer::Judged`].
    Judge {
        /// What it has seen so far.
        evidence: Evidence,
    },
    /// Try a release that is staged in the state directory. Answered by [`Answer::Upgrading`] at once, or by
    /// [`Answer::Refused`]; how it ends is told by [`State::releases`].
    Upgrade {
        /// Its digest.
        release: String,
        /// How often its agent may be started before the trial ends; at least once.
        #[serde(default = "once")]
        tries: u32,
    },
    /// The same, and the release may do without what stands in these maps, where nothing can carry it over. A kind of its own:
    /// a supervisor that does not know it refuses, instead of trying the release in vain.
    UpgradeWithLoss {
        /// Its digest.
        release: String,
        /// How often its agent may be started before the trial ends; at least once.
        #[serde(default = "once")]
        tries: u32,
        /// The maps, by name. Only agents understand them.
        accept_loss: Vec<String>,
    },
}

/// What a supervisor answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Answer {
    /// The agent has ended, lock and sockets are free, and this process waits for `commit` or `rollback`.
    Yielded,
    /// The request was not followed; nothing has changed.
    Refused {
        /// Why, for a human.
        reason: String,
        /// The versions of messages that this supervisor speaks.
        versions: Vec<u32>,
    },
    /// The time of the new supervisor is over: it must stop its agent and release lock and sockets.
    TakenBack,
    /// The agent is being stopped.
    Stopping,
    /// How the supervisor and its agent are.
    State(Box<State>),
    /// What becomes of a generation on trial.
    Judged {
        /// The word.
        verdict: Verdict,
    },
    /// The trial has begun.
    Upgrading {
        /// Its number, by which its end is found in [`Releases::last`].
        trial: u64,
    },
}

fn once() -> u32 {
    1
}

impl Answer {
    /// A refusal for `reason`.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into(), versions: vec![VERSION] }
    }
}
