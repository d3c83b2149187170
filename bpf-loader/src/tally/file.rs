use std::path::{Path, PathBuf};

use evermesh_state::local::{SnapshotError, SnapshotFile};
use tracing::warn;

use super::{Counts, Tally};
use crate::{boot::boot_id, causes::in_full};

/// Why the tally could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TallyError {
    /// Its file could not be read, written or set aside.
    #[error("what generations before have counted cannot be kept or shown")]
    File(#[from] SnapshotError),
    /// The bytes are those that were written, and no tally.
    #[error("what generations before have counted is not known: {} is no tally of this release", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl TallyError {
    /// It can be set aside.
    fn is_damage(&self) -> bool {
        match self {
            Self::File(error) => error.is_damage(),
            Self::Foreign { .. } => true,
        }
    }

    /// With its causes, for people.
    pub fn in_full(&self) -> String {
        in_full(self)
    }
}

/// The tally on disk. Nothing waits for it or fails with it: where it cannot be written, what is due is written the next time.
#[derive(Debug)]
pub struct TallyFile {
    file: SnapshotFile,
    boot: String,
    /// Read from the kernel and not yet on the disk.
    due: Vec<Counts>,
    /// What is on the disk is of a data plane that was removed.
    anew: bool,
    note: Option<String>,
}

impl TallyFile {
    const NAME: &str = "tally";

    /// The tally in that directory. One that is damaged is set aside.
    pub fn open(state_dir: impl Into<PathBuf>) -> Self {
        let file = SnapshotFile::new(state_dir, Self::NAME);
        let mut opened = Self { file, boot: boot_id(), due: Vec::new(), anew: false, note: None };
        if let Err(error) = opened.current() {
            opened.tell(&error);
        }
        opened
    }

    /// What it says of this boot. Changes nothing.
    pub fn read(state_dir: &Path) -> Result<Tally, TallyError> {
        said(&SnapshotFile::new(state_dir, Self::NAME), &boot_id())
    }

    /// Adds a generation whose programs run no more. When this returns it is on the disk, unless that was told.
    pub fn add(&mut self, counts: Counts) {
        self.due.push(counts);
        self.keep_or_tell();
    }

    /// Begins with nothing: no generation is left of those that were added.
    pub fn begin(&mut self) {
        self.due.clear();
        self.anew = true;
        self.keep_or_tell();
    }

    /// Brings to the disk what is not there yet.
    pub fn keep(&mut self) -> Result<(), TallyError> {
        if self.due.is_empty() && !self.anew {
            return Ok(());
        }
        let found = self.current()?;
        let mut tally = if self.anew { Tally::of_boot(&self.boot) } else { found.clone() };
        for counts in &self.due {
            tally.add(counts);
        }
        if tally != found {
            self.file.write(&serde_json::to_vec(&tally).unwrap_or_default())?;
        }
        (self.due, self.anew) = (Vec::new(), false);
        Ok(())
    }

    /// What there is to say about it, once.
    pub fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    fn keep_or_tell(&mut self) {
        if let Err(error) = self.keep() {
            self.tell(&error);
        }
    }

    /// What is damaged is set aside, or what was counted from now on would be lost too.
    fn current(&mut self) -> Result<Tally, TallyError> {
        match said(&self.file, &self.boot) {
            Err(error) if error.is_damage() => {
                let moved = self.file.quarantine()?;
                let place = moved.map(|to| format!("; it was moved to {}", to.display())).unwrap_or_default();
                let note = format!("{}{place}", error.in_full());
                warn!("{note}");
                self.note = Some(note);
                Ok(Tally::of_boot(&self.boot))
            }
            said => said,
        }
    }

    fn tell(&mut self, error: &TallyError) {
        let note = error.in_full();
        warn!("{note}");
        self.note = Some(note);
    }
}

/// What is of another boot speaks of maps that are gone.
fn said(file: &SnapshotFile, boot: &str) -> Result<Tally, TallyError> {
    let Some(bytes) = file.read()? else { return Ok(Tally::of_boot(boot)) };
    let foreign = |source| TallyError::Foreign { path: file.path(), source };
    let said: Tally = serde_json::from_slice(&bytes).map_err(foreign)?;
    let is_of_this_boot = said.boot == boot && !boot.is_empty();
    Ok(if is_of_this_boot { said } else { Tally::of_boot(boot) })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn counts(map: u32, translated: u64) -> Counts {
        Counts { map, counts: vec![("translated".into(), translated)] }
    }

    fn shown(directory: &Path) -> Option<u64> {
        TallyFile::read(directory).unwrap().with(&[]).get("translated").copied()
    }

    #[test]
    fn what_is_added_twice_by_two_processes_is_added_once() {
        let directory = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            TallyFile::open(directory.path()).add(counts(7, 5));
        }
        TallyFile::open(directory.path()).add(counts(8, 1));
        assert_eq!(shown(directory.path()), Some(6));
    }

    #[test]
    fn one_that_is_damaged_is_set_aside_and_said() {
        let directory = tempfile::tempdir().unwrap();
        TallyFile::open(directory.path()).add(counts(7, 5));
        let path = directory.path().join(TallyFile::NAME);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        TallyFile::read(directory.path()).unwrap_err();
        let mut file = TallyFile::open(directory.path());
        let note = file.take_note().unwrap();
        assert!(note.contains("checksum") && note.contains("moved to"), "{note}");
        file.add(counts(8, 1));
        assert_eq!((file.take_note(), shown(directory.path())), (None, Some(1)));
    }

    #[test]
    fn one_that_is_none_is_set_aside_and_said() {
        let directory = tempfile::tempdir().unwrap();
        SnapshotFile::new(directory.path(), TallyFile::NAME).write(b"[]").unwrap();
        let note = TallyFile::open(directory.path()).take_note().unwrap();
        assert!(note.contains("no tally of this release") && note.contains("moved to"), "{note}");
        assert_eq!(TallyFile::open(directory.path()).take_note(), None);
    }

    #[test]
    fn what_cannot_be_written_is_said_and_written_the_next_time() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("not/yet");
        let mut file = TallyFile::open(&state);
        file.add(counts(7, 5));
        let note = file.take_note().unwrap();
        assert!(note.contains("not/yet"), "{note}");
        assert!(file.keep().is_err());
        fs::create_dir_all(&state).unwrap();
        file.keep().unwrap();
        assert_eq!((file.take_note(), shown(&state)), (None, Some(5)));
    }

    #[test]
    fn one_of_another_boot_says_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut before = TallyFile { boot: "before".into(), ..TallyFile::open(directory.path()) };
        before.add(counts(7, 5));
        assert_eq!(shown(directory.path()), None);
        TallyFile::open(directory.path()).add(counts(7, 2));
        assert_eq!(shown(directory.path()), Some(2));
    }

    #[test]
    fn one_that_begins_anew_forgets_and_writes_nothing_where_nothing_is_known() {
        let directory = tempfile::tempdir().unwrap();
        TallyFile::open(directory.path()).begin();
        assert!(!directory.path().join(TallyFile::NAME).exists());
        TallyFile::open(directory.path()).add(counts(7, 5));
        TallyFile::open(directory.path()).begin();
        assert_eq!(shown(directory.path()), None);
    }

    #[test]
    fn a_generation_that_counted_nothing_is_not_written_down() {
        let directory = tempfile::tempdir().unwrap();
        TallyFile::open(directory.path()).add(counts(7, 0));
        assert!(!directory.path().join(TallyFile::NAME).exists());
    }
}
