//! The releases that a supervisor keeps: which agent it starts, and what the ledger is told.

mod start;
mod step_down;
mod trial;

pub use start::Beginning;
pub use step_down::StepDown;

use std::path::PathBuf;

use evermesh_handover::message::Releases;
use tracing::warn;

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
    notes: Vec<String>,
}

impl Keeper {
    /// The program of the next agent.
    pub fn agent(&mut self, which: Which) -> PathBuf {
        match &mut self.kept {
            Ok(kept) => kept.agent(which),
            Err(_) => self.agent.clone(),
        }
    }

    /// Maps that the next agent may do without what stands in: that of a release on trial, that of the committed one after a
    /// trial with such maps, or any where no releases are kept.
    pub fn accept_loss(&self, which: Which) -> &[String] {
        self.kept.as_ref().map_or(&self.accept_loss, |kept| kept.accept_loss(which))
    }

    /// What others are told of the releases.
    pub fn report(&self, agent_runs: bool) -> Option<Releases> {
        let kept = self.kept.as_ref().ok()?;
        Some(Releases {
            running: kept.running.filter(|_| agent_runs).map(Into::into),
            notes: kept.notes.clone(),
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

    /// What does not verify any more is not started: the supervisor's own agent is, then. A candidate was verified when
    /// its try began.
    fn agent(&mut self, which: Which) -> PathBuf {
        let candidate = self.ledger.candidate.as_ref().map(|candidate| candidate.release);
        let release = match which {
            Which::Committed => self.ordinary,
            Which::Candidate => candidate.unwrap_or(self.ordinary),
        };
        let own = self.own.digest;
        match self.verify(&release) {
            Err(reason) if release == own || which == Which::Committed => {
                if release != own {
                    self.note(format!("the supervisor's own release runs: {reason}"));
                }
                self.running = Some(own);
                self.own.dir.join(AGENT)
            }
            _ => {
                self.running = Some(release);
                self.store.place(&release).join(AGENT)
            }
        }
    }

    fn verify(&self, release: &Digest) -> Result<(), String> {
        let mut stamps = Stamps::load(self.store.dir());
        let verified = self.store.verify(release, &mut stamps);
        stamps.save();
        verified.map(drop).map_err(|error| error.to_string())
    }

    /// For the log and for `status`.
    fn note(&mut self, note: String) {
        warn!("{note}");
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
