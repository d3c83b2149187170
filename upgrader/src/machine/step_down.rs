//! Stepping down: maps are led back to layouts that whoever follows knows, by the release that has brought them.
//!
//! What must hold: the ledger says that the maps of a release may have to be led back before that release can bring them,
//! and until the committed release's agent is ready; that one is started whatever came of it.

use std::time::Instant;

use super::{Action, Cause, Follower, Machine, Next, Phase, Record, Which};

/// Why nothing else begins meanwhile.
pub(super) const SETTLING: &str = "a release that is not committed steps down; try again";

impl Machine {
    /// There is no agent: whoever ran last steps down, if that is needed.
    pub(super) fn step_down(&mut self, next: Next, now: Instant) -> Vec<Action> {
        let follower = next.follower();
        self.phase = Phase::SteppingDown { by: now + self.settings.step_down_within(), next };
        vec![Action::StepDown(follower)]
    }

    /// Whoever follows will find maps that it knows.
    pub(super) fn stepped_down(&mut self, now: Instant) -> Vec<Action> {
        match &self.phase {
            Phase::SteppingDown { next: Next::Committed { .. }, .. } => self.spawn_of(Which::Committed, now),
            Phase::SteppingDown { next: Next::Candidate, .. } => self.spawn_candidate(now),
            Phase::SteppingDown { next: Next::Newcomer(newcomer), .. } => {
                self.yield_to(newcomer.clone(), now)
            }
            _ => Vec::new(),
        }
    }

    /// The maps may be somebody else's from now on.
    pub(super) fn unsettle(&mut self, whose: Follower) -> Vec<Action> {
        self.unsettled = true;
        vec![Action::Record(Record::Unsettled(whose))]
    }

    /// The committed release's agent is ready.
    pub(super) fn settle(&mut self) -> Vec<Action> {
        let unsettled = std::mem::take(&mut self.unsettled);
        unsettled.then_some(Action::Record(Record::Settled)).into_iter().collect()
    }

    /// The committed release's agent looks for itself what it finds.
    pub(super) fn not_settled(&self, cause: Cause, words: Option<&str>) -> Vec<Action> {
        let reason = self.reason_of_step_down("the release that ran before", cause, words);
        vec![Action::Record(Record::NotSettled(reason))]
    }
}
