use std::{io, path::PathBuf};

/// Why there are no findings.
#[derive(Debug, thiserror::Error)]
pub enum SentinelError {
    /// There is no cgroup for it.
    #[error("cannot make the cgroup {}: {source}", path.display())]
    Cgroup {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process could not be started.
    #[error("cannot start {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The process has ended, or does not say what it should.
    #[error("the sentinel does not answer: {0}")]
    Silent(#[source] io::Error),
    /// The process could not do its work.
    #[error("the sentinel cannot {0}")]
    Unable(String),
}
