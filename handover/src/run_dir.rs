use std::path::{Path, PathBuf};

/// The directory of what lives as long as the processes do, `/run/evermesh` by default; the names of the
/// supervisor's files in it are part of the protocol and never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The run directory at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `supervisor.sock`: where the supervisor answers [`Request`](crate::message::Request)s. Mode 0600.
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("supervisor.sock")
    }

    /// `notify.sock`: where the agent reports. Mode 0600.
    pub fn notify_socket(&self) -> PathBuf {
        self.0.join("notify.sock")
    }

    /// `supervisor.lock`: holds the supervisor's pid as text; under `flock` while a supervisor or its agent lives.
    pub fn lock(&self) -> PathBuf {
        self.0.join("supervisor.lock")
    }

    /// `supervisor.json`: the supervisor's last [`State`](crate::message::State).
    pub fn state_file(&self) -> PathBuf {
        self.0.join("supervisor.json")
    }
}
