use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::{Builder, NamedTempFile};

use super::{
    BadRecord, PAYLOAD_MAX, SnapshotError, Step,
    quarantine::Quarantine,
    record::{HEADER_LENGTH, header, payload},
};

/// A checksummed record in a file that is only ever replaced as a whole: whenever the machine stops, the old or
/// the new one is there. One process writes it at a time; who that is, its owner sees to.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    directory: PathBuf,
    name: &'static str,
}

impl SnapshotFile {
    /// The record of that plain file name in a directory. Touches nothing.
    pub fn new(directory: impl Into<PathBuf>, name: &'static str) -> Self {
        Self { directory: directory.into(), name }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.join(self.name)
    }

    /// Replaces the record. When this returns, it will outlast a loss of power.
    pub fn write(&self, payload: &[u8]) -> Result<(), SnapshotError> {
        let header = header(payload).map_err(|reason| self.bad(reason))?;
        self.remove_leftovers()?;
        let aside = self.write_aside(&header, payload)?;
        aside.persist(self.path()).map_err(|error| failed(Step::Rename, &self.path())(error.error))?;
        sync_directory(&self.directory)
    }

    /// The payload of the record; nothing when there is none. Changes nothing, whatever it finds.
    pub fn read(&self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let Some(mut record) = self.read_bytes()? else { return Ok(None) };
        payload(&record).map_err(|reason| self.bad(reason))?;
        record.drain(..HEADER_LENGTH);
        Ok(Some(record))
    }

    /// Moves the record away, so that the next write finds no trace of it, and says where it is now. Keeps the
    /// last four that were moved away.
    pub fn quarantine(&self) -> Result<Option<PathBuf>, SnapshotError> {
        let quarantine = Quarantine::of(&self.directory, self.name)?;
        let target = quarantine.next();
        match fs::rename(self.path(), &target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            renamed => renamed.map_err(failed(Step::Rename, &target))?,
        }
        quarantine.forget_oldest()?;
        sync_directory(&self.directory)?;
        Ok(Some(target))
    }

    fn write_aside(&self, header: &[u8], payload: &[u8]) -> Result<NamedTempFile, SnapshotError> {
        let mut aside = Builder::new()
            .prefix(&self.aside_prefix())
            .suffix(ASIDE_SUFFIX)
            .tempfile_in(&self.directory)
            .map_err(failed(Step::Create, &self.directory))?;
        let path = aside.path().to_owned();
        aside
            .write_all(header)
            .and_then(|()| aside.write_all(payload))
            .map_err(failed(Step::Write, &path))?;
        aside.as_file().sync_all().map_err(failed(Step::Sync, &path))?;
        Ok(aside)
    }

    /// A write that was interrupted leaves its file aside.
    fn remove_leftovers(&self) -> Result<(), SnapshotError> {
        let prefix = self.aside_prefix();
        for name in names(&self.directory)? {
            if name.starts_with(&prefix) && name.ends_with(ASIDE_SUFFIX) {
                remove(&self.directory.join(name))?;
            }
        }
        Ok(())
    }

    fn aside_prefix(&self) -> String {
        format!(".{}.", self.name)
    }

    fn read_bytes(&self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let path = self.path();
        let found = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(failed(Step::Read, &path))?,
        };
        if !found.is_file() {
            return Err(SnapshotError::NotAFile { path });
        }
        let length = found.len().saturating_sub(HEADER_LENGTH as u64);
        if length > PAYLOAD_MAX {
            return Err(self.bad(BadRecord::TooLarge { length }));
        }
        fs::read(&path).map(Some).map_err(failed(Step::Read, &path))
    }

    fn bad(&self, reason: BadRecord) -> SnapshotError {
        SnapshotError::Bad { path: self.path(), reason }
    }
}

const ASIDE_SUFFIX: &str = ".tmp";

/// What stands in a directory; names that are not UTF-8 are none of ours.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, SnapshotError> {
    let entries: io::Result<Vec<_>> = fs::read_dir(directory).and_then(Iterator::collect);
    let entries = entries.map_err(failed(Step::List, directory))?;
    Ok(entries.iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Removes a file, which may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), SnapshotError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed(Step::Remove, path)),
    }
}

/// Removes a file or a directory with all that is in it, which may be gone already.
pub(super) fn remove_all(path: &Path) -> Result<(), SnapshotError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path).map_err(failed(Step::Remove, path)),
        _ => remove(path),
    }
}

fn sync_directory(directory: &Path) -> Result<(), SnapshotError> {
    File::open(directory).and_then(|file| file.sync_all()).map_err(failed(Step::SyncDirectory, directory))
}

fn failed(step: Step, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError {
    let path = path.to_owned();
    move |source| SnapshotError::Io { step, path, source }
}
