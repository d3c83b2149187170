use std::{
    fs, io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::Path,
    time::Duration,
};

use evermesh_handover::{RunDir, notify::NotifySocket};

use super::lock::SupervisorLock;
use crate::SupervisorError;

/// What only one supervisor of a run directory has: the lock, and the sockets that others find by name. Whoever
/// yields gives it up as a whole.
#[derive(Debug)]
pub struct Seat {
    run_dir: RunDir,
    lock: SupervisorLock,
    control: UnixListener,
    notify: NotifySocket,
}

impl Seat {
    /// Takes the seat at a start; see [`SupervisorLock::acquire`] for how long that waits.
    pub fn take(run_dir: &RunDir, patience: Duration) -> Result<Self, SupervisorError> {
        Self::furnish(run_dir, SupervisorLock::acquire(run_dir, patience)?)
    }

    /// Takes the seat if it is free.
    pub fn try_take(run_dir: &RunDir) -> Result<Option<Self>, SupervisorError> {
        let lock = SupervisorLock::try_acquire(run_dir)?;
        lock.map(|lock| Self::furnish(run_dir, lock)).transpose()
    }

    /// Where others connect.
    pub fn control(&self) -> &UnixListener {
        &self.control
    }

    /// Where the agent reports.
    pub fn notify(&self) -> &NotifySocket {
        &self.notify
    }

    /// What the agent inherits.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    /// Gives the seat up. The sockets go first: under the lock, nobody else has made new ones in their place.
    pub fn release(self) -> Result<(), SupervisorError> {
        let Self { run_dir, lock, .. } = self;
        for socket in [run_dir.control_socket(), run_dir.notify_socket()] {
            let _ = fs::remove_file(socket);
        }
        lock.release().map_err(|source| SupervisorError::Lock { path: run_dir.lock(), source })
    }

    fn furnish(run_dir: &RunDir, lock: SupervisorLock) -> Result<Self, SupervisorError> {
        let path = run_dir.control_socket();
        let control = listen(&path).map_err(|source| SupervisorError::ControlSocket { path, source })?;
        let notify = NotifySocket::bind(&run_dir.notify_socket())?;
        Ok(Self { run_dir: run_dir.clone(), lock, control, notify })
    }
}

/// In the place of what a dead process left. Peers are asked for their credentials too, so the moment before the
/// mode is set opens nothing.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_had_by_one_and_leaves_no_socket() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::new(dir.path());
        fs::write(run_dir.control_socket(), "left by a dead process").unwrap();
        let seat = Seat::take(&run_dir, Duration::ZERO).unwrap();
        assert!(Seat::try_take(&run_dir).unwrap().is_none());
        let mode = fs::metadata(run_dir.control_socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        seat.release().unwrap();
        assert!(!run_dir.control_socket().exists() && !run_dir.notify_socket().exists());
        assert!(Seat::try_take(&run_dir).unwrap().is_some());
    }
}
