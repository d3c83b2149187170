use std::{fs, io, path::PathBuf};

use crate::{RunDir, message::State, replace};

/// Why the supervisor's state file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The file cannot be read; [`StateFileError::is_absent`] tells if there is none.
    #[error("cannot read the supervisor's state {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no state.
    #[error("the supervisor's state {path} is damaged: {source}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The file cannot be replaced.
    #[error("cannot write the supervisor's state {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StateFileError {
    /// No supervisor has ever run with this run directory since the boot.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl State {
    /// Reads what a supervisor, alive or dead, last wrote into its run directory.
    pub fn read(run_dir: &RunDir) -> Result<Self, StateFileError> {
        let path = run_dir.state_file();
        match fs::read(&path) {
            Ok(content) => {
                serde_json::from_slice(&content).map_err(|source| StateFileError::Damaged { path, source })
            }
            Err(source) => Err(StateFileError::Read { path, source }),
        }
    }

    /// Replaces the file at once; a reader finds the old or the new state. It need not outlive the boot.
    pub fn write(&self, run_dir: &RunDir) -> Result<(), StateFileError> {
        let path = run_dir.state_file();
        let written = serde_json::to_vec(self).map_err(io::Error::from).and_then(|mut content| {
            content.push(b'\n');
            replace::replace(&path, &content)
        });
        written.map_err(|source| StateFileError::Write { path, source })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::message::Phase;

    #[test]
    fn the_last_state_is_read_when_its_supervisor_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path());
        assert!(State::read(&run_dir).unwrap_err().is_absent());

        let mut state = State {
            release: "0.1.0".into(),
            pid: 1,
            agent_pid: None,
            phase: Phase::Backoff,
            status: None,
            restarts: BTreeMap::from([("crash".into(), 4)]),
            last_exit: None,
            since_unix_ms: 5,
            started_unix_ms: 6,
            releases: None,
        };
        state.write(&run_dir).unwrap();
        state.phase = Phase::Ended;
        state.write(&run_dir).unwrap();
        assert_eq!(State::read(&run_dir).unwrap(), state);
    }

    #[test]
    fn a_damaged_state_is_not_an_absent_one() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path());
        fs::write(run_dir.state_file(), "{").unwrap();
        assert!(!State::read(&run_dir).unwrap_err().is_absent());
    }
}
