use std::{io, path::PathBuf, time::Duration};

use evermesh_handover::{ClientError, notify::NotifySocketError};
use nix::errno::Errno;

use crate::{Exit, release::LedgerError};

/// Why a supervisor could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// A directory cannot be made.
    #[error("cannot create the {role} directory {path}: {source}; choose another one with --{role}-dir")]
    CreateDirectory {
        /// `run` or `state`.
        role: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory cannot be written.
    #[error(
        "cannot write to the {role} directory {path}: {source}; make it writable or choose another one with --{role}-dir"
    )]
    WriteDirectory {
        /// `run` or `state`.
        role: &'static str,
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The place of this program, beside which the agent is expected, is unknown.
    #[error("cannot find this program's own place: {source}; name the agent with --agent")]
    OwnPlace {
        /// What the system said.
        source: io::Error,
    },
    /// Another supervisor lives.
    #[error(
        "another evermesh supervisor (pid {pid}) runs in {run_dir}; stop it first, take over from it with --takeover, or choose another --run-dir"
    )]
    AnotherRuns {
        /// The run directory.
        run_dir: PathBuf,
        /// What the lock file says about the other one.
        pid: String,
    },
    /// Another supervisor has died, and its agent has not.
    #[error("the agent of a dead evermesh supervisor (pid {pid}) still holds {lock} after {} ms; try again, or find out why it does not end", waited.as_millis())]
    AgentLingers {
        /// The lock file.
        lock: PathBuf,
        /// What the lock file says about the dead supervisor.
        pid: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {path}: {source}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error(
        "cannot make the control socket {path}: {source}; choose a --run-dir that is writable and not too long"
    )]
    ControlSocket {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The notify socket cannot be made.
    #[error(transparent)]
    NotifySocket(#[from] NotifySocketError),
    /// The old supervisor does not yield.
    #[error("cannot take over in {run_dir}: {source}")]
    Takeover {
        /// The run directory.
        run_dir: PathBuf,
        /// What it said.
        source: ClientError,
    },
    /// The ledger cannot be read, so nobody knows which release is to run.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Signals cannot be received.
    #[error("cannot receive signals: {source}")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
    /// Waiting for events failed.
    #[error("cannot wait for events: {source}")]
    Wait {
        /// What the system said.
        source: Errno,
    },
    /// The end of the agent cannot be observed.
    #[error("cannot observe the agent (pid {pid}): {source}")]
    Observe {
        /// The agent.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}

impl From<&SupervisorError> for Exit {
    fn from(error: &SupervisorError) -> Self {
        use SupervisorError as E;
        match error {
            E::CreateDirectory { .. } | E::WriteDirectory { .. } | E::ControlSocket { .. } => Self::Config,
            E::NotifySocket(_) | E::OwnPlace { .. } => Self::Config,
            E::AnotherRuns { .. } | E::AgentLingers { .. } | E::Takeover { .. } => Self::Busy,
            E::Lock { .. } | E::Ledger(_) => Self::Failed,
            E::Signals { .. } | E::Wait { .. } | E::Observe { .. } => Self::Failed,
        }
    }
}
