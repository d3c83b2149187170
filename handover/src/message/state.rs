use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::Releases;

/// How a supervisor and its agent are; also the content of `supervisor.json`, where it outlives the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The supervisor's release.
    pub release: String,
    /// The supervisor's process.
    pub pid: u32,
    /// The agent's process; absent while there is none.
    #[serde(default)]
    pub agent_pid: Option<u32>,
    /// Where the agent is in its life.
    pub phase: Phase,
    /// What an agent last said about itself, for a human. It stays when that agent has ended.
    #[serde(default)]
    pub status: Option<String>,
    /// How often the agent was replaced since the supervisor started, by cause, every cause that this release
    /// counts: `crash`, `killed`, `hung`, `start-timeout`, `config`, `exit`, `spawn`.
    pub restarts: BTreeMap<String, u64>,
    /// How the last agent ended, for a human; absent while none has.
    #[serde(default)]
    pub last_exit: Option<String>,
    /// Since when the phase lasts: wall clock, milliseconds since 1970.
    pub since_unix_ms: u64,
    /// When the supervisor started: wall clock, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The releases that it keeps; absent if it keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub releases: Option<Releases>,
}

/// Where the agent is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Phase {
    /// It runs and has not said that it is ready.
    Starting,
    /// It is ready.
    Running,
    /// There is none: the release that ran last carries maps over to layouts that the one that follows knows.
    SteppingDown,
    /// It was asked or forced to end, or said that it will.
    Stopping,
    /// There is none; the next one starts after a pause.
    Backoff,
    /// There is none: a new supervisor has taken over and must prove itself.
    Yielded,
    /// There is none: the supervisor takes back what it had yielded.
    TakingBack,
    /// There is none, and the supervisor is ending or has ended.
    Ended,
    /// A word of another release.
    Unknown,
}

impl Phase {
    const ALL: [Self; 8] = [
        Self::Starting,
        Self::Running,
        Self::SteppingDown,
        Self::Stopping,
        Self::Backoff,
        Self::Yielded,
        Self::TakingBack,
        Self::Ended,
    ];

    /// The word for it, on the wire and for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::SteppingDown => "stepping-down",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Yielded => "yielded",
            Self::TakingBack => "taking-back",
            Self::Ended => "ended",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Phase> for String {
    fn from(phase: Phase) -> Self {
        phase.as_str().into()
    }
}

impl From<String> for Phase {
    fn from(word: String) -> Self {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word).unwrap_or(Self::Unknown)
    }
}
