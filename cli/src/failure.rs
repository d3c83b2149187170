use std::{io, path::PathBuf};

use evermesh_agent::{message, source::SourceError};
use evermesh_handover::{ClientError, IntentError};
use evermesh_model::InvalidSnapshot;
use evermesh_pins::{
    ControlError, EnrolmentError, InventoryError, RemovalError, ViewError, WriterLockError, host::HostError,
};
use evermesh_sockets::SocketsError;
use evermesh_xds_cache::cache::ReadError;

use crate::{Exit, command::UpgradeError, process::lone_agent::LoneAgentError, record::RecordError};

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
    /// It could not be told where pods' sockets lead.
    #[error(transparent)]
    Sockets(#[from] SocketsError),
    /// The configuration applied last could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What is kept of a control plane could not be read.
    #[error(transparent)]
    Kept(#[from] ReadError),
    /// Nothing is known of a control plane.
    #[error("nothing is known of a control plane: no agent answers{}, and there is no {}; name the state directory with --state-dir", because(.reason.as_deref()), path.display())]
    NothingKept {
        /// Why the one that runs does not.
        reason: Option<String>,
        /// Where it would be kept.
        path: PathBuf,
    },
    /// The agent has its configuration from files.
    #[error(
        "no control plane is followed, configuration comes from files: see `evermesh dump services` and `evermesh config diff`"
    )]
    NoControlPlane,
    /// What is known of a resource is nothing that this release knows.
    #[error("{name} is not as this release has it: {source}; use the `evermesh` of the release that runs")]
    ForeignResource {
        /// The resource.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// What is known of a control plane makes no mesh.
    #[error("what is known of the control plane is no mesh: {0}")]
    NoMesh(#[from] InvalidSnapshot),
    /// The files with the configuration could not be read, or are wrong.
    #[error("{}", message::of(.0))]
    Source(#[from] SourceError),
    /// It is not known where configuration comes from.
    #[error(
        "it is not known where configuration comes from, since no agent ran here: name files with --config"
    )]
    NoSource,
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
    /// No other release runs.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
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

fn because(reason: Option<&str>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}

impl Failure {
    /// What the process exits with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Host(_) => Exit::Config,
            Self::Upgrade(error) => error.exit(),
            _ => Exit::Failure,
        }
    }
}
