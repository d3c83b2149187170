use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use super::{Keeper, Kept, Notes, Pinned, Subject};
use crate::{
    Options, SupervisorError,
    release::{
        AGENT, Digest, LAUNCHED_BY, Ledger, LedgerError, LedgerFile, ReleaseError, Source, Stamps, Store,
        stage, unix_ms,
    },
};

/// How long a start waits for somebody who stages a release.
const STAGING_WITHIN: Duration = Duration::from_secs(10);

/// With what a supervisor begins that has the seat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beginning {
    /// A release to try.
    pub waiting: Option<Waiting>,
    /// Another release than the one that runs next may have left maps that this one does not know.
    pub unsettled: bool,
}

/// A release to try from the start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How often its agent may be started.
    pub tries_left: u32,
    /// It was tried before, and has failed.
    pub failed_before: bool,
}

impl Keeper {
    /// Measures this program's own release, and stages it where it is to be kept. The supervisor need not have the
    /// seat. Nothing here prevents a start.
    pub fn open(options: &Options) -> Result<Self, SupervisorError> {
        let (accept_loss, state_dir) = (options.accept_loss.clone(), options.state_dir.clone());
        if let Some(agent) = &options.agent {
            let why = "this supervisor was started with --agent and keeps no releases";
            return Ok(Self { agent: agent.clone(), kept: Err(why.into()), accept_loss, state_dir });
        }
        let own = env::current_exe().map_err(|source| SupervisorError::OwnPlace { source })?;
        let pinned = Pinned::of_agent(&options.agent_args);
        let kept = Kept::open(&options.state_dir, own.parent().unwrap_or(Path::new("/")), pinned);
        let kept = kept.map(Box::new).map_err(|error| {
            warn!("releases are not kept: {error}");
            format!("this supervisor keeps no releases: {error}")
        });
        Ok(Self { agent: own.with_file_name(AGENT), kept, accept_loss, state_dir })
    }

    /// The seat is held: decides which release runs. `takes_over`: an old supervisor waits for this one's word.
    pub fn sit(&mut self, takes_over: bool) -> Result<Beginning, LedgerError> {
        let Ok(kept) = &mut self.kept else { return Ok(Beginning::default()) };
        kept.sit(takes_over, &self.accept_loss)?;
        kept.takes_over = takes_over;
        let outgoing = kept.ledger.outgoing.as_ref();
        // The old supervisor has written down what this one may leave.
        let unsettled = outgoing.is_some_and(|it| !takes_over || it.release != kept.ordinary);
        let waiting = kept.ledger.candidate.as_ref().filter(|_| !takes_over).map(|candidate| {
            info!(
                "release {} is to be tried, {} times at most",
                candidate.release.short(),
                candidate.tries_left
            );
            Waiting { tries_left: candidate.tries_left, failed_before: candidate.reason.is_some() }
        });
        Ok(Beginning { waiting, unsettled })
    }

    /// The release whose agent runs if this supervisor takes over; none where no releases are kept.
    pub fn would_run(&self) -> Result<Option<Digest>, LedgerError> {
        let Ok(kept) = &self.kept else { return Ok(None) };
        let ledger = match kept.file.read() {
            Err(LedgerError::Damaged { .. }) => None,
            read => read?,
        };
        Ok(Some(kept.after_takeover(ledger.as_ref())))
    }

    /// The seat is held again: somebody else may have written into the ledger meanwhile.
    pub fn sit_again(&mut self) {
        if let Ok(kept) = &mut self.kept
            && let Ok(Some(ledger)) = kept.file.read()
        {
            (kept.ordinary, kept.ledger) = (ledger.committed, ledger);
        }
    }

    /// The seat is given up, and no agent runs: what it left where no release has a place for it goes.
    pub fn rise(&mut self) {
        if let Ok(kept) = &mut self.kept {
            kept.remove_leaks();
        }
    }
}

impl Kept {
    fn open(state_dir: &Path, own: &Path, pinned: Pinned) -> Result<Self, ReleaseError> {
        let store = Store::of(state_dir);
        store.make()?;
        let mut stamps = Stamps::load(store.dir());
        let own = Source::measure(own, &mut stamps)?;
        stamps.save();
        let launcher = env::var(LAUNCHED_BY).ok().and_then(|text| text.parse().ok()).unwrap_or(own.digest);
        let mut kept = Self {
            file: LedgerFile::of(&store),
            ledger: Ledger::new(own.digest, launcher, None),
            launcher,
            ordinary: own.digest,
            running: None,
            notes: Notes::default(),
            write_again_at: Instant::now(),
            pinned,
            takes_over: false,
            before_try: None,
            store,
            own,
        };
        if let Err(error) = kept.stage_own(&mut stamps) {
            let words = format!("this supervisor's own release is not kept on disk: {error}");
            kept.notes.put(Subject::OwnRelease, words);
        }
        Ok(kept)
    }

    /// A release that was launched and held is not kept: it may be launched again.
    fn stage_own(&self, stamps: &mut Stamps) -> Result<(), ReleaseError> {
        let own = self.own.digest;
        // The lock first: who holds it may be about to have a release tried, and the ledger names that only then.
        let held = self.store.lock(STAGING_WITHIN);
        let staged = || self.store.staged().iter().map(|release| release.digest).collect();
        let (mut keep, wanted): (Vec<Digest>, bool) = match self.file.read() {
            Ok(Some(ledger)) => {
                (ledger.kept(), ledger.launcher != self.launcher || ledger.kept().contains(&own))
            }
            _ => (staged(), true),
        };
        keep.extend(wanted.then_some(own));
        let held = match held {
            // Whoever stages something now sweeps by himself.
            Err(ReleaseError::Busy { .. }) if !wanted || self.verify(&own).is_ok() => return Ok(()),
            held => held?,
        };
        self.store.sweep(&held, &keep)?;
        if wanted && !stage(&self.store, &held, &self.own, stamps)?.was_there {
            info!("release {} is staged in {}", own.short(), self.store.place(&own).display());
        }
        stamps.save();
        Ok(())
    }

    /// A ledger that cannot be read may be whole: whoever made it anew might run another release than the committed one.
    fn sit(&mut self, takes_over: bool, accept_loss: &[String]) -> Result<(), LedgerError> {
        let before = match self.file.read() {
            Err(error @ LedgerError::Damaged { .. }) => {
                let aside = self.file.set_aside().map(|path| format!("set aside as {}", path.display()));
                let aside = aside.unwrap_or_else(|error| error.to_string());
                let words = format!("{error}; {aside}, and made anew from what is staged");
                self.notes.put(Subject::DamagedLedger, words);
                None
            }
            read => read?,
        };
        self.ledger = before.clone().unwrap_or_else(|| self.rebuilt());
        if takes_over {
            self.ordinary = self.after_takeover(before.as_ref());
            // The old supervisor may not have been able to write it down.
            if !accept_loss.is_empty() {
                self.ledger.leaves(self.ordinary, accept_loss);
            }
            return Ok(());
        }
        let trials = self.ledger.trials;
        self.ledger.start(self.own.digest, self.launcher, unix_ms());
        if self.ledger.trials > trials {
            self.ledger.accept_loss(accept_loss);
        } else if before.is_none() && !accept_loss.is_empty() {
            self.ledger.leaves(self.own.digest, accept_loss);
        }
        self.leave_out_what_is_damaged();
        self.ordinary = self.ledger.committed;
        if before.as_ref() != Some(&self.ledger) {
            self.write_down();
        }
        Ok(())
    }

    /// What runs after a takeover, by the ledger that is on disk.
    fn after_takeover(&self, ledger: Option<&Ledger>) -> Digest {
        let same = ledger.filter(|ledger| ledger.launcher == self.launcher);
        same.map_or(self.own.digest, |ledger| ledger.committed)
    }

    fn rebuilt(&self) -> Ledger {
        let others = self.store.staged().into_iter().map(|release| release.digest);
        let previous =
            others.filter(|release| *release != self.own.digest).find(|it| self.verify(it).is_ok());
        Ledger::new(self.own.digest, self.launcher, previous)
    }

    fn leave_out_what_is_damaged(&mut self) {
        let (own, now) = (self.own.digest, unix_ms());
        let committed = self.ledger.committed;
        if committed != own
            && let Err(reason) = self.verify(&committed)
        {
            let words = format!("release {} cannot be run: {reason}", committed.short());
            self.notes.put(Subject::Replaced, words);
            self.ledger.replace(own, &reason, now);
        }
        let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
        if let Some(candidate) = candidate.filter(|candidate| *candidate != own)
            && let Err(reason) = self.verify(&candidate)
        {
            self.ledger.hold(&reason, now);
        }
    }
}
