use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::{Keeper, Kept, Subject};
use crate::{
    machine::{Event, Peer, Record},
    release::{Digest, Ledger, LedgerError, unix_ms},
};

/// Long for a disk that takes its time to fail.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(5);

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
            Record::Unsettled(whose) => kept.unsettle(&whose),
            Record::Settled => kept.settle(),
            Record::NotSettled(reason) => {
                let words = format!("{reason}; the committed release runs if it knows the maps that stand");
                kept.notes.put(Subject::StepDown, words);
                None
            }
        }
    }

    /// What could not be written into the ledger is tried again after a while. To be called while the seat is held.
    pub fn write_again(&mut self) {
        if let Ok(kept) = &mut self.kept
            && kept.notes.has(&Subject::Ledger)
            && Instant::now() >= kept.write_again_at
        {
            kept.write_down();
        }
    }

    /// This supervisor has taken over and its agent was ready for long enough; the old one is told next.
    pub fn take_over(&mut self) -> Event {
        let Ok(kept) = &mut self.kept else { return Event::TakenOver };
        if let Some(leaks) = kept.leaks() {
            warn!("release {} does not take over: {leaks}", kept.ordinary.short());
            return Event::NotTakenOver;
        }
        (kept.takes_over, kept.before_try) = (false, None);
        if kept.ordinary == kept.own.digest {
            kept.took_over();
        }
        Event::TakenOver
    }
}

impl Kept {
    fn took_over(&mut self) {
        let (own, launcher) = (self.own.digest, self.launcher);
        let _none = self.remember(|ledger| ledger.take_over(own, launcher, unix_ms()));
        self.sweep();
    }

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

    /// What was damaged since it was considered is not tried.
    fn try_begins(&mut self) -> Event {
        let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
        let own = self.own.digest;
        let verified = match candidate.filter(|candidate| *candidate != own) {
            Some(candidate) => self.verify(&candidate),
            None => Ok(()),
        };
        let odd = self.odd();
        let paths = odd.as_ref().map(|odd| odd.paths.clone()).unwrap_or_default();
        let begin = |ledger: &mut Ledger| ledger.try_begins(paths);
        let written = verified.and_then(|()| self.change(begin).map_err(|error| error.to_string()));
        self.before_try = odd;
        written.map_or_else(Event::NotRecorded, |()| Event::Recorded)
    }

    fn commit(&mut self) -> Event {
        if let Some(leaks) = self.leaks() {
            return Event::NotRecorded(leaks);
        }
        match self.change(|ledger| ledger.commit(unix_ms())) {
            Ok(()) => {
                (self.ordinary, self.before_try) = (self.ledger.committed, None);
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
    pub(super) fn remember(&mut self, change: impl FnOnce(&mut Ledger)) -> Option<Event> {
        change(&mut self.ledger);
        self.write_down();
        None
    }

    /// There may be room later.
    pub(super) fn write_down(&mut self) {
        match self.file.write(&self.ledger) {
            Ok(()) => self.notes.drop(&Subject::Ledger),
            Err(error) => {
                self.notes.put(Subject::Ledger, error.to_string());
                self.write_again_at = Instant::now() + WRITE_AGAIN_AFTER;
            }
        }
    }

    /// Nothing has changed if this fails.
    fn change<T>(&mut self, change: impl FnOnce(&mut Ledger) -> T) -> Result<T, LedgerError> {
        let mut next = self.ledger.clone();
        let said = change(&mut next);
        self.file.write(&next)?;
        self.ledger = next;
        self.notes.drop(&Subject::Ledger);
        Ok(said)
    }

    /// Whoever stages something now sweeps by himself.
    pub(super) fn sweep(&self) {
        let swept =
            self.store.lock(Duration::ZERO).and_then(|held| self.store.sweep(&held, &self.ledger.kept()));
        if let Err(error) = swept {
            info!("what is not needed any more is not removed yet: {error}");
        }
    }
}
