use std::{
    fs::File,
    io,
    path::PathBuf,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use crate::PinDir;

/// The right to write tables, links and generations: a lock on the pin directory itself, released by the
/// kernel however its holder ends. It cannot go stale.
#[derive(Debug)]
pub struct WriterLock(#[expect(dead_code, reason = "held for its drop")] Flock<File>);

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum WriterLockError {
    /// Somebody else holds it.
    #[error("another process writes to {}: one agent or `evermesh uninstall` may do so at a time; stop it first", path.display())]
    Held {
        /// The pin directory.
        path: PathBuf,
    },
    /// The directory could not be opened or locked.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The pin directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl WriterLock {
    /// Takes the lock, waiting up to `patience` for a holder that is about to end.
    pub fn acquire(pins: &PinDir, patience: Duration) -> Result<Self, WriterLockError> {
        const RETRY: Duration = Duration::from_millis(5);
        let path = pins.root().to_owned();
        let lock = |source| WriterLockError::Lock { path: path.clone(), source };
        let mut directory = File::open(&path).map_err(lock)?;
        let deadline = Instant::now() + patience;
        loop {
            match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
                Ok(held) => return Ok(Self(held)),
                Err((_, Errno::EWOULDBLOCK)) if Instant::now() >= deadline => {
                    return Err(WriterLockError::Held { path });
                }
                Err((again, Errno::EWOULDBLOCK)) => directory = again,
                Err((_, errno)) => return Err(lock(errno.into())),
            }
            std::thread::sleep(RETRY);
        }
    }
}
