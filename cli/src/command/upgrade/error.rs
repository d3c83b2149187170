use std::path::PathBuf;

use evermesh_handover::ClientError;
use evermesh_upgrader::release::{LedgerError, ReleaseError};

use crate::Exit;

/// Why no other release runs.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The arguments contradict each other.
    #[error("--to belongs to `evermesh upgrade` itself, or to `evermesh upgrade plan`; write one of them")]
    ToAndCommand,
    /// The arguments say nothing.
    #[error("say which release: `evermesh upgrade --to DIR`")]
    NothingAsked,
    /// Nobody would try it.
    #[error("no supervisor runs with the run directory {}, so nobody can try a release; nothing was changed. Start the release itself with its `evermesh run`, or name the run directory with --run-dir", run_dir.display())]
    NotRunning {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// The supervisor cannot be talked to.
    #[error("{0}; nothing was changed")]
    Supervisor(#[source] ClientError),
    /// The supervisor speaks another protocol.
    #[error(
        "the supervisor does not understand this command: {reason}; it speaks version {} of the protocol, this command \
         version {ours}; nothing was changed. Use the `evermesh` of the release that runs",
        spoken(versions)
    )]
    ForeignProtocol {
        /// Its words.
        reason: String,
        /// The versions of messages that it speaks.
        versions: Vec<u32>,
        /// The version of this program.
        ours: u32,
    },
    /// The supervisor is of a release before this command, or runs a named agent.
    #[error(
        "the supervisor that runs (release {release}, pid {pid}) keeps no releases: it is older than `evermesh upgrade`, was started with --agent, or could not keep them (its log says why); nothing was changed. Start the release itself with its `evermesh run --takeover`"
    )]
    KeepsNone {
        /// What it says of itself.
        release: String,
        /// Its process.
        pid: u32,
    },
    /// One at a time.
    #[error(
        "release {release} is being tried; nothing was changed. `evermesh upgrade status` shows how it goes"
    )]
    Busy {
        /// The candidate.
        release: String,
    },
    /// The supervisor will not try it.
    #[error(
        "the supervisor will not try release {release}: {reason} (it speaks version {} of the protocol, this command version {ours}); nothing was changed",
        spoken(versions)
    )]
    Refused {
        /// The release.
        release: String,
        /// Its words.
        reason: String,
        /// The versions of messages that it speaks.
        versions: Vec<u32>,
        /// The version of this program.
        ours: u32,
    },
    /// There is nothing to go back to.
    #[error(
        "there is no release before {committed}: it is the only one that was ever committed here; bring one with `evermesh upgrade --to`"
    )]
    NothingBefore {
        /// The committed release.
        committed: String,
    },
    /// The release cannot be staged or run.
    #[error("{0}; nothing was changed")]
    Release(#[from] ReleaseError),
    /// What stands in the kernel cannot be carried over to it.
    #[error("release {release} cannot take over what is pinned here: {}; nothing was changed. `evermesh upgrade plan --to` shows every field", reasons.join("; "))]
    Layouts {
        /// The release.
        release: String,
        /// Table by table.
        reasons: Vec<String>,
    },
    /// The pins cannot be read.
    #[error("{0}; nothing was changed")]
    Pins(#[from] evermesh_pins::InventoryError),
    /// The ledger cannot be read.
    #[error("{0}{next}", next = next_of(.0))]
    Ledger(#[from] LedgerError),
    /// It was tried, and was no good.
    #[error("release {release} was tried and is not committed: {reason}; release {committed} runs")]
    Held {
        /// The candidate.
        release: String,
        /// Why.
        reason: String,
        /// What runs instead.
        committed: String,
    },
    /// The supervisor ended during the trial.
    #[error("the supervisor ended before release {release} had proven itself; the next start {next}")]
    Interrupted {
        /// The candidate.
        release: String,
        /// What the next start does.
        next: &'static str,
    },
    /// It takes longer than anybody waits.
    #[error(
        "release {release} is still being tried after {waited_s} s; `evermesh upgrade status` shows how it goes"
    )]
    Unfinished {
        /// The candidate.
        release: String,
        /// How long it was waited for.
        waited_s: u64,
    },
}

impl UpgradeError {
    /// What the process exits with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::ToAndCommand | Self::NothingAsked => Exit::Usage,
            _ => Exit::Failure,
        }
    }
}

/// What becomes of a ledger that is no good.
fn next_of(error: &LedgerError) -> &'static str {
    match error {
        LedgerError::Damaged { .. } => "; a supervisor that starts makes it anew",
        LedgerError::Read { .. } | LedgerError::Write { .. } => "",
    }
}

fn spoken(versions: &[u32]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
