use serde::{Deserialize, Serialize};

/// The releases that a supervisor keeps, each named by its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releases {
    /// That of the present agent; absent while there is none.
    #[serde(default)]
    pub running: Option<String>,
    /// The one that runs unless another one is tried.
    pub committed: String,
    /// The one that was committed before.
    #[serde(default)]
    pub previous: Option<String>,
    /// The one that is tried.
    #[serde(default)]
    pub candidate: Option<Candidate>,
    /// How the last trial ended.
    #[serde(default)]
    pub last: Option<TrialEnd>,
    /// What is not as it should be, for a human.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A release on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its digest.
    pub release: String,
    /// The number of the trial; it rises from trial to trial.
    pub trial: u64,
    /// How often its agent may be started still.
    pub tries_left: u32,
    /// Its agent runs now, and has not proven itself.
    pub under_way: bool,
    /// Why it failed the last time.
    #[serde(default)]
    pub reason: Option<String>,
    /// Maps that it may do without what stands in, where nothing can carry it over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_loss: Vec<String>,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialEnd {
    /// The number of the trial.
    pub trial: u64,
    /// The release that was tried.
    pub release: String,
    /// It is what runs from now on. If not, the release that was committed before runs.
    pub committed: bool,
    /// Why not, or how, for a human.
    #[serde(default)]
    pub reason: Option<String>,
    /// When: wall clock, milliseconds since 1970.
    pub unix_ms: u64,
}
