use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::stat::{major, minor};
use procfs::LockType;

use crate::PinDir;

/// The right to write tables, links and generations: a lock on the pin directory itself, released by the
/// kernel when it is closed, however its holder ends. It cannot go stale.
#[derive(Debug)]
pub struct WriterLock(File);

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Closing gives it back too, but not while a child between fork and exec has the file. An error leaves it to that.
        let _closed_anyway = self.0.unlock();
    }
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum WriterLockError {
    /// Somebody else holds it.
    #[error("another process writes to {}: one agent or `evermesh uninstall` may do so at a time; stop it first", path.display())]
    Held {
        /// The pin directory.
        path: PathBuf,
    },
    /// Who holds it could not be found out.
    #[error("cannot find out who writes to {}: {source}", path.display())]
    Holder {
        /// The pin directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
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
            match directory.try_lock() {
                Ok(()) if is_at(&directory, &path).map_err(lock)? => return Ok(Self(directory)),
                // A removal held it, and who came after that has made another one.
                Ok(()) => {
                    directory = File::open(&path).map_err(lock)?;
                    continue;
                }
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(WriterLockError::Held { path });
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(lock(error)),
            }
            std::thread::sleep(RETRY);
        }
    }

    /// The process that holds the lock, as `/proc/locks` shows it; `None` if nobody does whom this process can see.
    pub fn holder(pins: &PinDir) -> Result<Option<u32>, WriterLockError> {
        let unknown = |source| WriterLockError::Holder { path: pins.root().to_owned(), source };
        let directory = match pins.root().metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(unknown)?,
        };
        let of = (major(directory.dev()), minor(directory.dev()), directory.ino());
        let locks = procfs::locks().map_err(|error| unknown(io::Error::other(error)))?;
        let mut held = locks.into_iter().filter(|lock| {
            let on = (u64::from(lock.devmaj), u64::from(lock.devmin), lock.inode);
            lock.lock_type == LockType::FLock && on == of
        });
        Ok(held.find_map(|lock| u32::try_from(lock.pid?).ok()).filter(|&pid| pid != 0))
    }
}

/// Whether this is the directory at that path.
fn is_at(directory: &File, path: &Path) -> io::Result<bool> {
    let (own, there) = (directory.metadata()?, path.metadata()?);
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    #[test]
    fn the_holder_is_seen_as_long_as_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let pins = PinDir::new(dir.path());
        assert_eq!(WriterLock::holder(&pins).unwrap(), None);
        let lock = WriterLock::acquire(&pins, Duration::ZERO).unwrap();
        assert_eq!(WriterLock::holder(&pins).unwrap(), Some(std::process::id()));
        drop(lock);
        assert_eq!(WriterLock::holder(&pins).unwrap(), None);
    }

    /// Whoever had waited while it was removed held a directory that nobody could see, and another one came to hold the new one.
    #[test]
    fn whoever_waits_while_the_directory_is_removed_comes_to_hold_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let pins = PinDir::new(dir.path().join("evermesh"));
        fs::create_dir(pins.root()).unwrap();
        let removal = WriterLock::acquire(&pins, Duration::ZERO).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| WriterLock::acquire(&pins, Duration::from_secs(60)).unwrap());
            let open = || fs::read_dir("/proc/self/fd").unwrap().flatten().map(|fd| fs::read_link(fd.path()));
            while open().flatten().filter(|path| path == pins.root()).count() < 2 {
                thread::yield_now();
            }
            fs::remove_dir(pins.root()).unwrap();
            fs::create_dir(pins.root()).unwrap();
            drop(removal);
            let _held = waiting.join().unwrap();
            assert!(matches!(WriterLock::acquire(&pins, Duration::ZERO), Err(WriterLockError::Held { .. })));
        });
    }

    #[test]
    fn nobody_holds_what_is_not_there() {
        assert_eq!(WriterLock::holder(&PinDir::new("/no/such/place")).unwrap(), None);
    }
}
