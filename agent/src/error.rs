use std::{io, path::PathBuf};

use evermesh_loader::{ApplyError, StartError};
use evermesh_pins::host::HostError;

use crate::{message, source::SourceError};

/// Why the agent ends. What stands in the kernel stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The host does not offer what is needed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// What is applied could not be kept.
    #[error("the state directory {} cannot be written: {source}; make it writable, or name another one with --state-dir", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There would be no place for the admin socket.
    #[error("the run directory {} cannot be made: {source}; name another one with --run-dir", path.display())]
    RunDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel programs that were named are not there.
    #[error("cannot read the kernel programs in {}: {source}; name another file or directory with --programs", path.display())]
    Programs {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody said where configuration comes from.
    #[error(
        "there is no source of configuration: name files with --config, or a control plane with --xds-address"
    )]
    NoSource,
    /// There is nothing to apply: no usable source, nothing applied earlier, nothing in the kernel.
    #[error("nothing to run with: {}", message::of(.0))]
    NothingKnown(#[source] SourceError),
    /// The data plane was not taken over.
    #[error(transparent)]
    DataPlane(#[from] StartError),
    /// The thread of the data plane could not be started.
    #[error("cannot start the data plane's thread: {0}")]
    Thread(#[source] io::Error),
    /// The thread of the data plane panicked: a defect.
    #[error("the data plane's thread has ended by itself, which is a defect: the supervisor starts anew")]
    DataPlaneGone,
    /// The thread that follows the control plane panicked: a defect.
    #[error("the control plane's thread has ended by itself, which is a defect: the supervisor starts anew")]
    ControlPlaneGone,
    /// A new generation has not proven itself, and this agent cannot go on with the one before.
    #[error("{reason}")]
    OnTrial {
        /// What became of it, and why.
        reason: String,
    },
    /// Signals, timers or files cannot be waited for.
    #[error("cannot {step}: {source}")]
    Runtime {
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl AgentError {
    /// 78 (`EX_CONFIG`) where starting again does not help until somebody changes the host, the configuration or the
    /// pins; 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        const FAILURE: u8 = 1;
        const CONFIG: u8 = 78;
        match self {
            Self::Host(_)
            | Self::StateDir { .. }
            | Self::RunDir { .. }
            | Self::Programs { .. }
            | Self::NothingKnown(_)
            | Self::NoSource => CONFIG,
            Self::DataPlane(StartError::Findings(_) | StartError::Apply(ApplyError::Full(_))) => CONFIG,
            Self::DataPlane(_)
            | Self::Thread(_)
            | Self::DataPlaneGone
            | Self::ControlPlaneGone
            | Self::OnTrial { .. }
            | Self::Runtime { .. } => FAILURE,
        }
    }
}
