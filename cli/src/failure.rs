use std::{io, path::PathBuf};

use evermesh_handover::{ClientError, IntentError};
use evermesh_pins::{
    ControlError, EnrolmentError, InventoryError, Layout, RemovalError, ViewError, WriterLockError,
    host::HostError,
};

use crate::{Exit, process::lone_agent::LoneAgentError, record::RecordError};

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The host does not offer what is needed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A pod was not enrolled, removed or listed.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// A word of `control` could not be read.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The pin directory could not be read.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The tables could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The configuration applied last could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The intent to uninstall could not be recorded or cleared.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// The supervisor could not be stopped.
    #[error(
        "cannot stop the supervisor: {0}; nothing was removed. Stop it by its process id, then run `evermesh uninstall` again"
    )]
    Stop(#[source] ClientError),
    /// An agent without supervisor could not be stopped.
    #[error(transparent)]
    LoneAgent(#[from] LoneAgentError),
    /// Somebody writes to the pins.
    #[error(transparent)]
    WriterLock(#[from] WriterLockError),
    /// Something was not removed.
    #[error(transparent)]
    Removal(#[from] RemovalError),
    /// A directory could not be made, emptied or removed.
    #[error("cannot {step} {}: {source}", path.display())]
    Directory {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No generation is live.
    #[error("nothing stands in {}: is Evermesh running on this node? Start it with `evermesh run`, or name the directory with --bpffs", path.display())]
    NothingLive {
        /// The pin directory.
        path: PathBuf,
    },
    /// A table is of another release.
    #[error("{} is not a table of this release: expected a {expected}, found a {found}; use the `evermesh` of the release that runs", path.display())]
    ForeignTable {
        /// The pin.
        path: PathBuf,
        /// What this release reads.
        expected: Layout,
        /// What stands there.
        found: Layout,
    },
    /// A table is not there.
    #[error("{} is missing: `evermesh status` says more", path.display())]
    MissingTable {
        /// Where it should stand.
        path: PathBuf,
    },
    /// This program does not know where it is.
    #[error("cannot find out where this program is: {source}")]
    OwnPath {
        /// Why.
        source: io::Error,
    },
    /// The working directory is gone.
    #[error("cannot find out the working directory: {source}; name paths from the root")]
    WorkingDirectory {
        /// Why.
        source: io::Error,
    },
    /// The installation is incomplete.
    #[error("{} does not exist: `evermesh`, `evermesh-supervisor` and `evermesh-agent` belong into one directory", path.display())]
    NoSupervisor {
        /// Where it should be.
        path: PathBuf,
    },
    /// The supervisor was not started.
    #[error("cannot execute {}: {source}", path.display())]
    Exec {
        /// The supervisor.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The result could not be written as JSON.
    #[error("cannot write the result as JSON: {source}")]
    Json {
        /// Why.
        source: serde_json::Error,
    },
    /// The result could not be written at all.
    #[error("cannot write to standard output: {source}")]
    Print {
        /// Why.
        source: io::Error,
    },
}

impl Failure {
    /// What the process exits with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Host(_) => Exit::Config,
            _ => Exit::Failure,
        }
    }
}
