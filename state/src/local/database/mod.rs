//! Many small records in one directory, changed together or not at all.
//!
//! [`sled`](https://docs.rs/sled) keeps them, and is treated as expendable: whatever it says, a record counts only with
//! its checksum, and all of them only with their sum. A database that is not whole is refused as a whole, so that nobody
//! works with half of what was written; [`Database::set_aside`] moves it away.

mod checksum;
mod error;
mod mark;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use sled::{Batch, Config, Db};

use super::quarantine::Quarantine;
use checksum::{Sum, seal, unseal};
pub use error::{Damage, DatabaseError};
use mark::{Beside, Mark, MarkFile};

/// Layout of keys and values; a database of another one is refused.
const FORMAT: u32 = 1;
/// Keys of our own. Those of records begin with [`RECORD`].
const FORMAT_KEY: &[u8] = b"\0format";
const SUM_KEY: &[u8] = b"\0sum";
const MARK_KEY: &[u8] = b"\0mark";
const RECORD: u8 = b'r';

/// What is kept of what was read; more is read again.
const CACHE_BYTES: u64 = 2 << 20;

/// How long a database that was closed may still be held.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// An open database. One process has it at a time.
#[derive(Debug)]
pub struct Database {
    db: Db,
    directory: PathBuf,
    sum: Sum,
    mark: Mark,
    mark_file: MarkFile,
}

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

impl Database {
    /// Opens the database in `directory`, or makes an empty one, and reads all of it in the order of the keys. No record is
    /// changed in one that is refused.
    pub fn open(directory: &Path) -> Result<(Self, Vec<Entry>), DatabaseError> {
        let mut entries = Vec::new();
        let database = Self::open_each(directory, |key, value| entries.push((key.to_vec(), value.to_vec())))?;
        Ok((database, entries))
    }

    /// The same, with each key and its value as it is read. What was read counts only if this returns a database.
    pub fn open_each(directory: &Path, each: impl FnMut(&[u8], &[u8])) -> Result<Self, DatabaseError> {
        guarded(directory, || {
            let is_new = !directory.exists();
            let db = open_free(directory)
                .map_err(|source| DatabaseError::Open { path: directory.to_owned(), source })?;
            let mark_file = MarkFile::beside(directory);
            let (sum, mark) = (Sum::default(), Mark::new());
            let mut database = Self { db, directory: directory.to_owned(), sum, mark, mark_file };
            if is_new {
                database.begin()?;
            }
            database.read(each)?;
            Ok(database)
        })
    }

    /// Sets the values of keys, and removes those of `None`. When this returns, all of it will outlast a loss of power; if
    /// it fails, all or nothing of it was done, and which is told by the next [`open`](Self::open).
    pub fn write(&mut self, changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>) -> Result<(), DatabaseError> {
        let directory = self.directory.clone();
        guarded(&directory, || {
            let mut sum = self.sum;
            let mut batch = Batch::default();
            for (key, value) in changes {
                let key = record_key(&key);
                let before = self.db.get(&key).map_err(|source| self.failed(source))?;
                before.iter().for_each(|sealed| sum.remove(sealed));
                match value {
                    Some(value) => {
                        let sealed = seal(&key, &value);
                        sum.add(&sealed);
                        batch.insert(key, sealed);
                    }
                    None => batch.remove(key),
                }
            }
            batch.insert(SUM_KEY, sum.to_bytes().as_slice());
            self.sum = sum;
            self.commit(batch)
        })
    }

    /// Bytes on the disk. What was overwritten is reclaimed, so it stays within a few times of what is in use.
    pub fn size_on_disk(&self) -> Result<u64, DatabaseError> {
        self.db.size_on_disk().map_err(|source| self.failed(source))
    }

    /// Moves the database in `directory` away, so that the next one finds no trace of it, and says where it is now; nothing
    /// where there is none. Keeps the last four that were moved away.
    pub fn set_aside(directory: &Path) -> Result<Option<PathBuf>, DatabaseError> {
        let failed = |source| DatabaseError::SetAside { path: directory.to_owned(), source };
        let unnamed = || failed(io::ErrorKind::InvalidInput.into());
        let parent = directory.parent().ok_or_else(unnamed)?;
        let name = directory.file_name().and_then(|name| name.to_str()).ok_or_else(unnamed)?;
        let quarantine = Quarantine::of(parent, name).map_err(|error| failed(io::Error::other(error)))?;
        let target = quarantine.next();
        match fs::rename(directory, &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            renamed => renamed.map_err(failed)?,
        }
        quarantine.forget_oldest().map_err(|error| failed(io::Error::other(error)))?;
        Ok(Some(target))
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.mark_file.remove().map_err(|source| self.failed(source.into()))?;
        let mut batch = Batch::default();
        batch.insert(FORMAT_KEY, FORMAT.to_le_bytes().as_slice());
        batch.insert(SUM_KEY, Sum::default().to_bytes().as_slice());
        self.commit(batch)
    }

    /// The file beside the database is written last: it never says more than what is on the disk.
    fn commit(&mut self, mut batch: Batch) -> Result<(), DatabaseError> {
        self.mark = self.mark.next();
        batch.insert(MARK_KEY, self.mark.to_bytes());
        let flushed = self.db.apply_batch(batch).and_then(|()| self.db.flush());
        flushed.map_err(|source| self.failed(source))?;
        self.mark_file.write(self.mark).map_err(|source| self.failed(source.into()))
    }

    fn read(&mut self, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), DatabaseError> {
        self.require_format()?;
        let wanted = self.own(SUM_KEY)?.and_then(|bytes| Sum::from_bytes(&bytes));
        for pair in self.db.scan_prefix([RECORD]) {
            let (key, sealed) = pair.map_err(|source| self.failed(source))?;
            let value = unseal(&key, &sealed).ok_or_else(|| self.damaged(Damage::Checksum))?;
            self.sum.add(&sealed);
            each(&key[1..], value);
        }
        if wanted != Some(self.sum) {
            return Err(self.damaged(Damage::Sum));
        }
        self.require_mark()
    }

    fn require_mark(&mut self) -> Result<(), DatabaseError> {
        let own = self.own(MARK_KEY)?.and_then(|bytes| Mark::from_bytes(&bytes));
        self.mark = own.ok_or_else(|| self.damaged(Damage::NoFormat))?;
        match self.mark_file.read().map_err(|source| self.failed(source.into()))? {
            Beside::Mark(mark) if mark.database != self.mark.database => Err(self.damaged(Damage::Another)),
            Beside::Mark(mark) if mark.writes > self.mark.writes => Err(self.damaged(Damage::Older)),
            Beside::Mark(_) | Beside::Nothing => Ok(()),
            Beside::Format { found, known } => Err(self.format(found, known)),
        }
    }

    fn require_format(&self) -> Result<(), DatabaseError> {
        let bytes = self.own(FORMAT_KEY)?.ok_or_else(|| self.damaged(Damage::NoFormat))?;
        match bytes.as_ref().try_into().map(u32::from_le_bytes) {
            Ok(FORMAT) => Ok(()),
            Ok(found) => Err(self.format(found, FORMAT)),
            Err(_) => Err(self.damaged(Damage::NoFormat)),
        }
    }

    fn own(&self, key: &[u8]) -> Result<Option<sled::IVec>, DatabaseError> {
        self.db.get(key).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: sled::Error) -> DatabaseError {
        DatabaseError::Access { path: self.directory.clone(), source }
    }

    fn format(&self, found: u32, known: u32) -> DatabaseError {
        DatabaseError::Format { path: self.directory.clone(), found, known }
    }

    fn damaged(&self, damage: Damage) -> DatabaseError {
        DatabaseError::Damaged { path: self.directory.clone(), damage }
    }
}

/// sled goes on for a moment in the background after it was closed, and holds its files until then.
fn open_free(directory: &Path) -> sled::Result<Db> {
    let deadline = Instant::now() + CLOSING_MAX;
    loop {
        let config = Config::new().path(directory).flush_every_ms(None).cache_capacity(CACHE_BYTES);
        match config.open() {
            Err(error) if is_held(&error) && Instant::now() < deadline => sleep(CLOSING_MAX / 100),
            Err(sled::Error::Corruption { .. }) if forget_summaries(directory)? => {}
            opened => return opened,
        }
    }
}

/// sled begins with a summary of its log, and does not open where that is damaged, or was not finished because the disk was
/// full or the process was killed. The log says the same by itself. Says whether there was one.
fn forget_summaries(directory: &Path) -> io::Result<bool> {
    let mut found = false;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("snap.") {
            fs::remove_file(entry.path())?;
            found = true;
        }
    }
    Ok(found)
}

/// sled tells this case apart by its words alone.
fn is_held(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

fn record_key(key: &[u8]) -> Vec<u8> {
    [&[RECORD], key].concat()
}

/// A panic below is an error like any other.
fn guarded<T>(directory: &Path, work: impl FnOnce() -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let reason = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it said nothing").to_owned();
        Err(DatabaseError::Panicked { path: directory.to_owned(), reason })
    })
}
