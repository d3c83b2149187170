use std::{
    fs, io,
    path::{Path, PathBuf},
};

use evermesh_proto::admin::{LAST_STATUS, v1::Status};
use prost::Message as _;
use tokio::{sync::watch, task::spawn_blocking};
use tracing::warn;

/// The status, kept in the run directory: what the agent said last is known when it is dead.
#[derive(Debug)]
pub struct LastWords {
    path: PathBuf,
    complained: bool,
}

impl LastWords {
    pub fn new(run_dir: &Path) -> Self {
        Self { path: run_dir.join(LAST_STATUS), complained: false }
    }

    /// Writes the first at once, so that whoever hears of an agent finds its words when it is dead.
    pub fn begin(mut self, status: &Status) -> Self {
        self.write(status);
        self
    }

    /// Writes them whenever they are others, elsewhere, so that nobody waits for the disk; of those that come faster than it
    /// takes them, the last. Ends, when these are written, with whoever says them.
    pub async fn follow(mut self, mut status: watch::Receiver<Status>) {
        while status.changed().await.is_ok() {
            let status = status.borrow_and_update().clone();
            let written = spawn_blocking(move || {
                self.write(&status);
                self
            });
            let Ok(words) = written.await else { return };
            self = words;
        }
    }

    /// Replaces them; a reader finds the old or the new ones. They are no more than a help, so a failure is logged, once.
    fn write(&mut self, status: &Status) {
        match self.replace(&status.encode_to_vec()) {
            Err(error) if !self.complained => {
                warn!(path = %self.path.display(), %error, "the status cannot be kept for when the agent is dead");
                self.complained = true;
            }
            result => self.complained &= result.is_err(),
        }
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let aside = self.path.with_added_extension("new");
        fs::write(&aside, bytes)?;
        fs::rename(aside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let mut words = LastWords::new(dir.path());
        for pid in [1, 2] {
            words.write(&Status { pid, ..Status::default() });
        }
        let bytes = fs::read(dir.path().join(LAST_STATUS)).unwrap();
        assert_eq!(Status::decode(bytes.as_slice()).unwrap().pid, 2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn those_that_are_said_at_the_very_end_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let (said, heard) = watch::channel(Status { pid: 1, ..Status::default() });
        let following = tokio::spawn(LastWords::new(dir.path()).follow(heard));
        said.send_replace(Status { pid: 2, ..Status::default() });
        drop(said);
        following.await.unwrap();
        let bytes = fs::read(dir.path().join(LAST_STATUS)).unwrap();
        assert_eq!(Status::decode(bytes.as_slice()).unwrap().pid, 2);
    }
}
