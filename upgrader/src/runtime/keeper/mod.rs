//! The releases that a supervisor keeps: which agent it starts, and what the ledger is told.

mod leaks;
mod notes;
mod pinned;
mod start;
mod step_down;
mod trial;

use leaks::Odd;
use notes::{Notes, Subject};
use pinned::Pinned;
pub use start::Beginning;
pub use step_down::StepDown;

use std::{path::PathBuf, time::Instant};

use evermesh_handover::{Intent, message::Releases};

use crate::{
    machine::Which,
    release::{AGENT, Digest, Ledger, LedgerFile, Source, Stamps, Store},
};

/// What says which agent is started.
#[derive(Debug)]
pub struct Keeper {
    /// The agent where no releases are kept: the one that was named, or the one beside this program.
    agent: PathBuf,
    /// None: an agent was named, or releases cannot be kept.
    kept: Result<Box<Kept>, String>,
    /// Maps that a release which is to be tried from the start on may do without what stands in.
    accept_loss: Vec<String>,
    /// Where it is recorded what the last end was for.
    state_dir: PathBuf,
}

/// The releases on disk and the supervisor's own.
#[derive(Debug)]
struct Kept {
    store: Store,
    file: LedgerFile,
    ledger: Ledger,
    /// That of this program.
    own: Source,
    /// That by which this program was started.
    launcher: Digest,
    /// What runs unless something is tried.
    ordinary: Digest,
    /// That of the agent that was started last.
    running: Option<Digest>,
    notes: Notes,
    /// When to try again to write down what could not be.
    write_again_at: Instant,
    pinned: Pinned,
    /// This supervisor takes over, and has not proven itself yet.
    takes_over: bool,
    /// What was odd in the pin directory when the try began, or the agent of a takeover was started, that may have left more there.
    before_try: Option<Odd>,
}

impl Keeper {
    /// The program of the next agent, or why it is not to be started.
    pub fn agent(&mut self, which: Which) -> Result<PathBuf, String> {
        match (&mut self.kept, which) {
            (Ok(kept), Which::Candidate) => kept.candidates_agent(),
            (Ok(kept), Which::Committed) => {
                kept.remove_leaks();
                kept.before_try = kept.takes_over.then(|| kept.odd()).flatten();
                Ok(kept.ordinary_agent())
            }
            (Err(_), _) => Ok(self.agent.clone()),
        }
    }

    /// Maps that the next agent may do without what stands in: that of a release on trial, that of the committed one after a
    /// trial with such maps, or any where no releases are kept.
    pub fn accept_loss(&self, which: Which) -> &[String] {
        self.kept.as_ref().map_or(&self.accept_loss, |kept| kept.accept_loss(which))
    }

    /// Nobody is to run any more.
    pub fn is_uninstalled(&self) -> bool {
        Intent::recorded(&self.state_dir).intent == Intent::Uninstall
    }

    /// What others are told of the releases.
    pub fn report(&self, agent_runs: bool) -> Option<Releases> {
        let kept = self.kept.as_ref().ok()?;
        Some(Releases {
            running: kept.running.filter(|_| agent_runs).map(Into::into),
            notes: kept.notes.words(),
            ..Releases::from(&kept.ledger)
        })
    }
}

impl Kept {
    fn accept_loss(&self, which: Which) -> &[String] {
        let declared = match which {
            Which::Committed => self.ledger.outgoing.as_ref().map(|outgoing| &outgoing.accept_loss),
            Which::Candidate => self.ledger.candidate.as_ref().map(|candidate| &candidate.accept_loss),
        };
        declared.map_or(&[], Vec::as_slice)
    }

    /// What does not verify any more is not started: the supervisor's own agent is, then.
    fn ordinary_agent(&mut self) -> PathBuf {
        let (release, own) = (self.ordinary, self.own.digest);
        match self.verify(&release) {
            Ok(()) => {
                self.notes.drop(&Subject::Committed);
                self.agent_of(release)
            }
            Err(reason) => {
                if release != own {
                    let words = format!("the supervisor's own release runs: {reason}");
                    self.notes.put(Subject::Committed, words);
                }
                self.own_agent()
            }
        }
    }

    /// It was verified when its try began; the committed release may have stepped down since.
    fn candidates_agent(&mut self) -> Result<PathBuf, String> {
        let Some(release) = self.ledger.candidate.as_ref().map(|candidate| candidate.release) else {
            return Ok(self.ordinary_agent());
        };
        match self.verify(&release) {
            Ok(()) => Ok(self.agent_of(release)),
            Err(_) if release == self.own.digest => Ok(self.own_agent()),
            Err(reason) => Err(reason),
        }
    }

    fn own_agent(&mut self) -> PathBuf {
        self.running = Some(self.own.digest);
        self.own.dir.join(AGENT)
    }

    fn agent_of(&mut self, staged: Digest) -> PathBuf {
        self.running = Some(staged);
        self.store.place(&staged).join(AGENT)
    }

    fn verify(&self, release: &Digest) -> Result<(), String> {
        let mut stamps = Stamps::load(self.store.dir());
        let verified = self.store.verify(release, &mut stamps);
        stamps.save();
        verified.map(drop).map_err(|error| error.to_string())
    }
}
