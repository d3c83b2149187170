//! Which release steps down for which: whoever ran last, where it may have maps that whoever follows does not know.

use std::path::PathBuf;

use tracing::{info, warn};

use super::{Keeper, Kept, Subject};
use crate::{
    machine::{Event, Follower, Which},
    release::{Digest, Layouts, Ledger},
};

const IN_VAIN: &str = "nothing steps down for it, and its agent refuses what it does not know";

/// Who steps down, and for whom.
#[derive(Debug)]
pub struct StepDown {
    /// Its agent.
    pub agent: PathBuf,
    /// What the release that follows says of its layouts.
    pub said: Layouts,
    /// Maps that this one may do without what stands in.
    pub accept_loss: Vec<String>,
}

impl Keeper {
    /// None: nothing has to step down, or nobody can.
    pub fn step_down(&mut self, follower: &Follower) -> Option<StepDown> {
        let kept = self.kept.as_mut().ok()?;
        let ran_last = match follower {
            Follower::Committed => kept.outgoing()?,
            Follower::Candidate | Follower::Newcomer { .. } => kept.outgoing().unwrap_or(kept.ordinary),
        };
        let accept_loss = kept.accept_loss_of(follower).to_vec();
        let follower = kept.digest_of(follower).inspect_err(|why| info!("{why}: {IN_VAIN}")).ok()?;
        let said = kept.needs_step_down(&ran_last, &follower)?;
        let agent =
            if ran_last == kept.ordinary { kept.ordinary_agent() } else { kept.outgoing_agent(ran_last)? };
        Some(StepDown { agent, said, accept_loss })
    }
}

impl Kept {
    /// What its release leaves, nobody else may know: the ledger says so before it is there.
    pub(super) fn unsettle(&mut self, whose: &Follower) -> Option<Event> {
        let release = self.digest_of(whose).ok()?;
        let accept_loss = self.accept_loss_of(whose).to_vec();
        let known = self.outgoing() == Some(release) && self.accept_loss(Which::Committed) == accept_loss;
        let leaves = || !accept_loss.is_empty() || self.needs_step_down(&release, &self.ordinary).is_some();
        if known || !leaves() {
            return None;
        }
        self.remember(|ledger| ledger.leaves(release, &accept_loss))
    }

    pub(super) fn settle(&mut self) -> Option<Event> {
        self.notes.drop(&Subject::StepDown);
        if self.ledger.outgoing.is_some() {
            self.remember(Ledger::settle);
            self.sweep();
        }
        None
    }

    fn accept_loss_of<'a>(&'a self, follower: &'a Follower) -> &'a [String] {
        match follower {
            Follower::Committed => self.accept_loss(Which::Committed),
            Follower::Candidate => self.accept_loss(Which::Candidate),
            Follower::Newcomer { accept_loss, .. } => accept_loss,
        }
    }

    fn outgoing(&self) -> Option<Digest> {
        let outgoing = self.ledger.outgoing.as_ref().map(|outgoing| outgoing.release);
        outgoing.filter(|release| *release != self.ordinary)
    }

    /// What does not verify any more does not run.
    fn outgoing_agent(&mut self, outgoing: Digest) -> Option<PathBuf> {
        if let Err(reason) = self.verify(&outgoing) {
            let words = format!("release {} cannot step down: {reason}", outgoing.short());
            self.notes.put(Subject::StepDown, words);
            return None;
        }
        Some(self.agent_of(outgoing))
    }

    fn digest_of(&self, follower: &Follower) -> Result<Digest, String> {
        match follower {
            Follower::Committed => Ok(self.ordinary),
            Follower::Candidate => {
                let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
                candidate.ok_or_else(|| "no release is on trial".into())
            }
            Follower::Newcomer { release: Some(release), .. } => {
                release.parse().map_err(|error| format!("{error}"))
            }
            Follower::Newcomer { release: None, .. } => {
                Err("the new supervisor does not say its release".into())
            }
        }
    }

    /// What the release that follows says, if the other one may have to step down for it.
    fn needs_step_down(&self, outgoing: &Digest, follower: &Digest) -> Option<Layouts> {
        let outgoing = Layouts::of(&self.store, outgoing)?;
        let Some(said) = Layouts::of(&self.store, follower) else {
            warn!("release {} does not say its layouts: {IN_VAIN}", follower.short());
            return None;
        };
        outgoing.may_step_down_for(&said).then_some(said)
    }
}
