#[cfg(test)]
mod tests;
mod told;

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::Digest;

/// How often a release is tried that came with a supervisor which was started over the state directory.
pub const TRIES_OF_A_START: u32 = 3;
/// Older events are forgotten.
const HISTORY_MAX: usize = 50;

/// Which release runs, which ran before, which is tried, and how trials ended. Pure: [`LedgerFile`](super::LedgerFile)
/// keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The release whose supervisor was started last by somebody outside: an image, a package, a person.
    pub launcher: Digest,
    /// What runs unless something is tried.
    pub committed: Digest,
    /// What was committed before.
    #[serde(default)]
    pub previous: Option<Digest>,
    /// What is tried.
    #[serde(default)]
    pub candidate: Option<Candidate>,
    /// What is not committed, and may have left maps that the committed release does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outgoing: Option<Outgoing>,
    /// How many trials have begun.
    #[serde(default)]
    pub trials: u64,
    /// The latest events, the latest last.
    #[serde(default)]
    pub history: Vec<Entry>,
}

/// A release on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The release.
    pub release: Digest,
    /// The number of the trial.
    pub trial: u64,
    /// How often its agent may be started still.
    pub tries_left: u32,
    /// It was started and has not proven itself: whoever reads this at a start knows that it has failed.
    pub under_way: bool,
    /// Why it failed the last time.
    #[serde(default)]
    pub reason: Option<String>,
    /// Maps that it may do without what stands in, where nothing can carry it over: as long as the trial lasts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_loss: Vec<String>,
    /// What stood in the pin directory without a place there when its first try began; none: it was not tried yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odd: Option<BTreeSet<PathBuf>>,
}

/// A release that may have to step down before the committed one's agent runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The release; the committed one itself where nobody knows whose maps stand.
    pub release: Digest,
    /// Maps that were declared for its trial, or with a first start: what stands in them may be lost on the way back too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept_loss: Vec<String>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Wall clock, milliseconds since 1970.
    pub unix_ms: u64,
    /// The number of the trial it belongs to.
    pub trial: u64,
    /// What was committed.
    pub from: Digest,
    /// What was to be.
    pub to: Digest,
    /// What came of it.
    pub outcome: Outcome,
    /// Why or how, for a human.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Outcome {
    /// `to` runs from now on.
    Committed,
    /// One try failed; there are more.
    Failed,
    /// The last try failed: `from` runs, and `to` is not tried again by itself.
    Held,
    /// Another release came before the trial had ended.
    Superseded,
    /// `from` could not be run any more: `to`, the supervisor's own, runs instead.
    Replaced,
    /// A word of another release.
    Unknown,
}

impl Outcome {
    const ALL: [Self; 5] = [Self::Committed, Self::Failed, Self::Held, Self::Superseded, Self::Replaced];

    /// The word for it, on disk and for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Failed => "failed",
            Self::Held => "held",
            Self::Superseded => "superseded",
            Self::Replaced => "replaced",
            Self::Unknown => "unknown",
        }
    }
}

impl From<Outcome> for String {
    fn from(outcome: Outcome) -> Self {
        outcome.as_str().into()
    }
}

impl From<String> for Outcome {
    fn from(word: String) -> Self {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word).unwrap_or(Self::Unknown)
    }
}

impl Ledger {
    /// The first one: the supervisor's own release is committed.
    pub fn new(own: Digest, launcher: Digest, previous: Option<Digest>) -> Self {
        let previous = previous.filter(|&previous| previous != own);
        Self {
            launcher,
            committed: own,
            previous,
            candidate: None,
            outgoing: None,
            trials: 0,
            history: Vec::new(),
        }
    }

    /// A supervisor of release `own` starts, with nobody before it. `launcher` is its own release, unless it was
    /// started by another one's command in its place.
    ///
    /// A try that was under way has failed with its supervisor. A release that was not the last to be launched is
    /// tried.
    pub fn start(&mut self, own: Digest, launcher: Digest, now_unix_ms: u64) {
        if self.candidate.as_ref().is_some_and(|candidate| candidate.under_way) {
            self.fail("its supervisor ended before the agent had proven itself", now_unix_ms);
        }
        if launcher == self.launcher {
            return;
        }
        self.launcher = launcher;
        self.supersede(now_unix_ms);
        if own == launcher && own != self.committed {
            self.begin(own, TRIES_OF_A_START);
        }
    }

    /// A trial of `release` begins.
    pub fn begin(&mut self, release: Digest, tries: u32) -> u64 {
        self.trials += 1;
        let candidate = Candidate {
            release,
            trial: self.trials,
            tries_left: tries.max(1),
            under_way: false,
            reason: None,
            accept_loss: Vec::new(),
            odd: None,
        };
        self.candidate = Some(candidate);
        self.trials
    }

    /// The candidate may do without what stands in these maps.
    pub fn accept_loss(&mut self, maps: &[String]) {
        if let Some(candidate) = &mut self.candidate {
            candidate.accept_loss = maps.to_vec();
        }
    }

    /// This release has maps, or may have, that the committed one may not know, and that one may do without what stands in some.
    pub fn leaves(&mut self, release: Digest, accept_loss: &[String]) {
        self.outgoing = Some(Outgoing { release, accept_loss: accept_loss.to_vec() });
    }

    /// The committed release runs, over maps that it knows.
    pub fn settle(&mut self) {
        self.outgoing = None;
    }

    /// The candidate's agent is about to be started; the first time, nothing that is odd in the pin directory can be its own.
    pub fn try_begins(&mut self, odd: BTreeSet<PathBuf>) {
        if let Some(candidate) = &mut self.candidate {
            candidate.odd.get_or_insert(odd);
            candidate.tries_left = candidate.tries_left.saturating_sub(1);
            candidate.under_way = true;
        }
    }

    /// The try was ended by something that does not speak against the candidate.
    pub fn give_back(&mut self) {
        if let Some(candidate) = self.candidate.as_mut().filter(|candidate| candidate.under_way) {
            candidate.tries_left += 1;
            candidate.under_way = false;
        }
    }

    /// The try has failed; without another one left, the candidate is held.
    pub fn fail(&mut self, reason: &str, now_unix_ms: u64) {
        let Some(mut candidate) = self.candidate.take() else { return };
        let held = candidate.tries_left == 0;
        let outcome = if held { Outcome::Held } else { Outcome::Failed };
        self.note(candidate.trial, candidate.release, outcome, Some(reason), now_unix_ms);
        if !held {
            candidate.under_way = false;
            candidate.reason = Some(reason.into());
            self.candidate = Some(candidate);
        }
    }

    /// The trial ends here, whatever tries are left.
    pub fn hold(&mut self, reason: &str, now_unix_ms: u64) {
        if let Some(candidate) = &mut self.candidate {
            candidate.tries_left = 0;
        }
        self.fail(reason, now_unix_ms);
    }

    /// The candidate has proven itself.
    pub fn commit(&mut self, now_unix_ms: u64) {
        if let Some(candidate) = self.candidate.take() {
            let declared = candidate.accept_loss.join(",");
            let reason = (!declared.is_empty()).then(|| format!("with --accept-loss {declared}"));
            self.note(candidate.trial, candidate.release, Outcome::Committed, reason.as_deref(), now_unix_ms);
            self.run_from_now_on(candidate.release);
            self.settle();
        }
    }

    /// A supervisor of release `own` has taken over from another one and proven itself.
    pub fn take_over(&mut self, own: Digest, launcher: Digest, now_unix_ms: u64) {
        self.launcher = launcher;
        self.supersede(now_unix_ms);
        let declared = self.outgoing.take().filter(|outgoing| outgoing.release == own);
        if own != self.committed {
            self.begin(own, 1);
            self.accept_loss(&declared.map_or_else(Vec::new, |outgoing| outgoing.accept_loss));
            self.commit(now_unix_ms);
        }
    }

    /// What is committed cannot be run: `own` is committed instead.
    pub fn replace(&mut self, own: Digest, reason: &str, now_unix_ms: u64) {
        self.note(self.trials, own, Outcome::Replaced, Some(reason), now_unix_ms);
        self.candidate.take_if(|candidate| candidate.release == own);
        self.previous.take_if(|previous| *previous == own);
        self.committed = own;
    }

    /// What must stay on disk.
    pub fn kept(&self) -> Vec<Digest> {
        let candidate = self.candidate.as_ref().map(|candidate| candidate.release);
        let outgoing = self.outgoing.as_ref().map(|outgoing| outgoing.release);
        [Some(self.committed), self.previous, candidate, outgoing].into_iter().flatten().collect()
    }

    /// How the last trial ended.
    pub fn last(&self) -> Option<&Entry> {
        let ended = |entry: &&Entry| {
            matches!(entry.outcome, Outcome::Committed | Outcome::Held | Outcome::Superseded)
        };
        self.history.iter().rev().find(ended)
    }

    fn supersede(&mut self, now_unix_ms: u64) {
        if let Some(candidate) = self.candidate.take() {
            let reason = "another release was started before it had proven itself";
            self.note(candidate.trial, candidate.release, Outcome::Superseded, Some(reason), now_unix_ms);
        }
    }

    fn run_from_now_on(&mut self, release: Digest) {
        if release != self.committed {
            self.previous = Some(self.committed);
            self.committed = release;
        }
    }

    fn note(&mut self, trial: u64, to: Digest, outcome: Outcome, reason: Option<&str>, now_unix_ms: u64) {
        let (from, reason) = (self.committed, reason.map(Into::into));
        self.history.push(Entry { unix_ms: now_unix_ms, trial, from, to, outcome, reason });
        let old = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..old);
    }
}
