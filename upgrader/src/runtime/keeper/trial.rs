use std::{path::PathBuf, time::Duration};

use tracing::{info, warn};

use super::{Keeper, Kept};
use crate::{
    machine::{Event, Follower, Peer, Record, Which},
    release::{Digest, Layouts, Ledger, LedgerError, unix_ms},
};

impl Keeper {
    /// Whether that release can be tried. When it can, the ledger says so already.
    pub fn consider(&mut self, peer: Peer, release: &str, tries: u32, accept_loss: &[String]) -> Event {
        let trial = match &mut self.kept {
            Ok(kept) => kept.consider(release, tries, accept_loss),
            Err(why_not) => Err(why_not.clone()),
        };
        Event::Considered(peer, trial)
    }

    /// Writes a word about the trial into the ledger.
    pub fn record(&mut self, record: Record) -> Option<Event> {
        let kept = self.kept.as_mut().ok()?;
        match record {
            Record::Try => Some(kept.try_begins()),
            Record::Commit => Some(kept.commit()),
            Record::Failed(reason) => kept.give_up(&reason, Ledger::fail),
            Record::Held(reason) => kept.give_up(&reason, Ledger::hold),
            Record::GivenBack => kept.remember(Ledger::give_back),
        }
    }

    /// The committed release's agent and what the one that follows says of its layouts; none: nothing has to step down, or
    /// nobody can.
    pub fn step_down(&mut self, follower: &Follower) -> Option<(PathBuf, Layouts)> {
        let kept = self.kept.as_mut().ok()?;
        let said = kept.needs_step_down(follower)?;
        Some((kept.agent(Which::Committed), said))
    }

    /// This supervisor has taken over and proven itself; the old one is told next.
    pub fn took_over(&mut self) {
        let Ok(kept) = &mut self.kept else { return };
        if kept.ordinary != kept.own.digest {
            return;
        }
        let (own, launcher) = (kept.own.digest, kept.launcher);
        match kept.change(|ledger| ledger.take_over(own, launcher, unix_ms())) {
            Ok(()) => kept.sweep(),
            Err(error) => kept.note(format!("{error}; the next start tries this release again")),
        }
    }
}

impl Kept {
    fn consider(&mut self, release: &str, tries: u32, accept_loss: &[String]) -> Result<(u64, u32), String> {
        let release: Digest = release.parse().map_err(|error| format!("{error}"))?;
        if release == self.ordinary {
            return Err(format!("release {} is committed already", release.short()));
        }
        self.verify(&release)?;
        let tries = tries.max(1);
        let begin = |ledger: &mut Ledger| {
            let trial = ledger.begin(release, tries);
            ledger.accept_loss(accept_loss);
            trial
        };
        let trial = self.change(begin).map_err(|error| error.to_string())?;
        info!("release {} is to be tried, {tries} times at most", release.short());
        Ok((trial, tries))
    }

    fn needs_step_down(&self, follower: &Follower) -> Option<Layouts> {
        const IN_VAIN: &str = "nothing steps down for it, and its agent refuses what it does not know";
        let release = match follower {
            Follower::Candidate => self.ledger.candidate.as_ref()?.release,
            Follower::Newcomer(Some(release)) => {
                release.parse().inspect_err(|error| warn!("{error}: {IN_VAIN}")).ok()?
            }
            Follower::Newcomer(None) => {
                info!("the new supervisor does not say its release: {IN_VAIN}");
                return None;
            }
        };
        let committed = Layouts::of(&self.store, &self.ordinary)?;
        let Some(said) = Layouts::of(&self.store, &release) else {
            warn!("release {} does not say its layouts: {IN_VAIN}", release.short());
            return None;
        };
        committed.may_step_down_for(&said).then_some(said)
    }

    /// What was damaged since it was considered is not tried.
    fn try_begins(&mut self) -> Event {
        let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
        let own = self.own.digest;
        let verified = match candidate.filter(|candidate| *candidate != own) {
            Some(candidate) => self.verify(&candidate),
            None => Ok(()),
        };
        let written =
            verified.and_then(|()| self.change(Ledger::try_begins).map_err(|error| error.to_string()));
        written.map_or_else(Event::NotRecorded, |()| Event::Recorded)
    }

    fn commit(&mut self) -> Event {
        match self.change(|ledger| ledger.commit(unix_ms())) {
            Ok(()) => {
                self.ordinary = self.ledger.committed;
                info!("release {} is committed", self.ordinary.short());
                self.sweep();
                Event::Recorded
            }
            Err(error) => Event::NotRecorded(error.to_string()),
        }
    }

    fn give_up(&mut self, reason: &str, how: fn(&mut Ledger, &str, u64)) -> Option<Event> {
        let release = self.ledger.candidate.as_ref().map(|candidate| candidate.release.short());
        warn!("release {} has failed: {reason}", release.unwrap_or_default());
        let done = self.remember(|ledger| how(ledger, reason, unix_ms()));
        self.sweep();
        done
    }

    /// What is known already without these words on disk: the next start takes an unfinished try for a failed one.
    fn remember(&mut self, change: impl FnOnce(&mut Ledger)) -> Option<Event> {
        change(&mut self.ledger);
        if let Err(error) = self.file.write(&self.ledger) {
            self.note(error.to_string());
        }
        None
    }

    /// Nothing has changed if this fails.
    fn change<T>(&mut self, change: impl FnOnce(&mut Ledger) -> T) -> Result<T, LedgerError> {
        let mut next = self.ledger.clone();
        let said = change(&mut next);
        self.file.write(&next)?;
        self.ledger = next;
        Ok(said)
    }

    /// Whoever stages something now sweeps by himself.
    fn sweep(&self) {
        let swept =
            self.store.lock(Duration::ZERO).and_then(|held| self.store.sweep(&held, &self.ledger.kept()));
        if let Err(error) = swept {
            info!("what is not needed any more is not removed yet: {error}");
        }
    }
}
