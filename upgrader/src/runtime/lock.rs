use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::fd::{AsFd, BorrowedFd},
    process, thread,
    time::{Duration, Instant},
};

use evermesh_handover::{Client, ClientError, RunDir};

use crate::SupervisorError;

const RETRY: Duration = Duration::from_millis(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The right to run an agent with a run directory: `flock` on `supervisor.lock`. The agent inherits it, so it is
/// free when supervisor *and* agent have ended, however they did. The file stays; it means nothing by itself.
#[derive(Debug)]
pub struct SupervisorLock(File);

impl SupervisorLock {
    /// Takes the lock; none: somebody else holds it.
    pub fn try_acquire(run_dir: &RunDir) -> Result<Option<Self>, SupervisorError> {
        lock(run_dir).map_err(|source| SupervisorError::Lock { path: run_dir.lock(), source })
    }

    /// Takes the lock, waiting up to `patience` for the agent of a dead supervisor to end, but not for a living
    /// supervisor.
    pub fn acquire(run_dir: &RunDir, patience: Duration) -> Result<Self, SupervisorError> {
        let until = Instant::now() + patience;
        loop {
            if let Some(lock) = Self::try_acquire(run_dir)? {
                return Ok(lock);
            }
            if a_supervisor_lives(run_dir) {
                return Err(SupervisorError::AnotherRuns {
                    run_dir: run_dir.path().into(),
                    pid: holder(run_dir),
                });
            }
            if Instant::now() >= until {
                let (lock, pid) = (run_dir.lock(), holder(run_dir));
                return Err(SupervisorError::AgentLingers { lock, pid, waited: patience });
            }
            thread::sleep(RETRY);
        }
    }

    /// Gives the lock up, whoever else has inherited it.
    pub fn release(self) -> Result<(), io::Error> {
        self.0.unlock()
    }
}

impl AsFd for SupervisorLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn lock(run_dir: &RunDir) -> io::Result<Option<SupervisorLock>> {
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(run_dir.lock())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    writeln!(file, "{}", process::id())?;
    Ok(Some(SupervisorLock(file)))
}

/// Only an answer counts: pids are reused and differ between containers, and a process that is being killed may
/// still accept a connection. One that keeps silent is alive and stuck.
fn a_supervisor_lives(run_dir: &RunDir) -> bool {
    let state = Client::connect(run_dir, ANSWER_WITHIN).and_then(|mut client| client.state());
    matches!(state, Ok(_) | Err(ClientError::Silent { .. } | ClientError::Refused { .. }))
}

fn holder(run_dir: &RunDir) -> String {
    let content = fs::read_to_string(run_dir.lock()).unwrap_or_default();
    if content.trim().is_empty() { "unknown".into() } else { content.trim().into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_pid_keeps_others_out_and_is_free_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path());
        fs::write(run_dir.lock(), "a long text that a dead process left\n").unwrap();
        let held = SupervisorLock::acquire(&run_dir, Duration::ZERO).unwrap();
        assert_eq!(fs::read_to_string(run_dir.lock()).unwrap(), format!("{}\n", process::id()));
        assert!(SupervisorLock::try_acquire(&run_dir).unwrap().is_none());
        held.release().unwrap();
        assert!(SupervisorLock::try_acquire(&run_dir).unwrap().is_some());
    }

    #[test]
    fn a_lingering_agent_is_waited_for_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path());
        let _held = SupervisorLock::try_acquire(&run_dir).unwrap();
        let error = SupervisorLock::acquire(&run_dir, Duration::from_millis(20)).unwrap_err();
        assert!(
            matches!(error, SupervisorError::AgentLingers { pid, .. } if pid == process::id().to_string())
        );
    }
}
