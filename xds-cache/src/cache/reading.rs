//! The database as those see it who only look.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use evermesh_state::local::{Database, DatabaseError};
use tempfile::TempDir;

use super::{
    DIRECTORY, entry,
    recall::{Recalled, recall},
};
use crate::{Conversion, Mesh};

/// A writer writes now and then: a copy that was made in between is whole.
const ATTEMPTS: usize = 5;

/// What a database holds.
#[derive(Debug)]
pub struct Kept {
    /// The mesh that follows from it.
    pub mesh: Mesh,
    /// When it was last known to be what the control plane says.
    pub synced_unix_ms: Option<u64>,
}

/// Why a database could not be looked at. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Somebody writes to it.
    #[error("the database {} is being written to, by an agent that does not answer: try again", path.display())]
    Changing {
        /// The directory.
        path: PathBuf,
    },
    /// It could not be looked at.
    #[error("cannot copy the database {} to look at it: {source}", path.display())]
    Copy {
        /// The directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{reason}; nothing was changed there: the next agent moves it away and begins a new one")]
    Unusable {
        /// What is wrong with it.
        reason: String,
        /// The same of the copy that was opened.
        source: DatabaseError,
    },
}

/// Reads what is kept in the state directory and changes nothing there: what is opened is a copy, since opening a database
/// writes to it, and keeps an agent that starts from having it. It is converted as `conversion` says, which is told how the
/// agent did. `None`: there is no database.
pub fn read(
    state_dir: &Path,
    conversion: impl FnOnce(Conversion) -> Conversion,
) -> Result<Option<Kept>, ReadError> {
    let path = state_dir.join(DIRECTORY);
    if !path.exists() {
        return Ok(None);
    }
    let place = TempDir::new().map_err(|source| ReadError::Copy { path: path.clone(), source })?;
    let copy = copied(&path, place.path())?;
    let unusable = |source: DatabaseError| {
        let reason = source.to_string().replace(&copy.display().to_string(), &path.display().to_string());
        ReadError::Unusable { reason, source }
    };
    let mut told = None;
    let as_told = |key: &[u8], value: &[u8]| told = entry::conversion_of(key, value).or(told.take());
    drop(Database::open_each(&copy, as_told).map_err(unusable)?);
    let conversion = conversion(told.unwrap_or_default());
    let (_database, recalled) = recall(&copy, &conversion).map_err(unusable)?;
    let Recalled { mesh, synced_unix_ms, .. } = recalled;
    Ok(Some(Kept { mesh, synced_unix_ms }))
}

fn copied(path: &Path, place: &Path) -> Result<PathBuf, ReadError> {
    let failed = |source| ReadError::Copy { path: path.to_owned(), source };
    for attempt in 0..ATTEMPTS {
        let copy = place.join(attempt.to_string());
        let before = Stamp::of(path).map_err(failed)?;
        match copy_directory(path, &copy) {
            // It was there a moment ago.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            copied => copied.map_err(failed)?,
        }
        if Stamp::of(path).map_err(failed)? == before {
            return Ok(copy);
        }
    }
    Err(ReadError::Changing { path: path.to_owned() })
}

/// What changes when a file of the database does.
#[derive(PartialEq, Eq)]
struct Stamp(Vec<(PathBuf, u64, SystemTime)>);

impl Stamp {
    fn of(directory: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in fs::read_dir(directory)? {
            let (path, found) = entry.and_then(|entry| Ok((entry.path(), entry.metadata()?)))?;
            files.push((path, found.len(), found.modified()?));
        }
        files.sort();
        Ok(Self(files))
    }
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_directory(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Kind, OnUnsupported,
        cache::open,
        samples::{of_service, of_workload, said, service, waypoint, workload},
    };

    fn kept() -> TempDir {
        let dir = TempDir::new().unwrap();
        let mut opened = open(dir.path(), Conversion::default());
        let resources = vec![
            of_service(service("web", &[[10, 96, 0, 1]])),
            of_workload(workload("w1", [10, 0, 0, 1], &["web"])),
        ];
        opened.mesh.take(said(resources));
        opened.keeper.remember_all(Kind::Address, &opened.mesh);
        opened.keeper.keep();
        opened.keeper.synced(1_700_000_000_000);
        drop(opened);
        dir
    }

    fn bytes(state_dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let files = fs::read_dir(state_dir.join(DIRECTORY)).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> =
            files.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_kept_is_read_and_left_as_it_is() {
        let dir = kept();
        let before = bytes(dir.path());
        let kept = read(dir.path(), |as_kept| as_kept).unwrap().unwrap();
        assert_eq!((kept.mesh.snapshot().workload_count(), kept.mesh.count(Kind::Address)), (1, 2));
        assert_eq!(kept.synced_unix_ms, Some(1_700_000_000_000));
        assert!(before == bytes(dir.path()));
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed() {
        let dir = kept();
        let moment = 1_700_000_000_000;
        let read = || read(dir.path(), |as_kept| as_kept).unwrap().unwrap().synced_unix_ms;
        let mut opened = open(dir.path(), Conversion::default());
        opened.keeper.synced(moment - 3_600_000);
        assert!(opened.keeper.wait(Duration::from_secs(60)));
        assert_eq!(read(), Some(moment - 3_600_000));
        opened.keeper.synced(moment - 3_601_000);
        drop(opened);
        assert_eq!(read(), Some(moment - 3_601_000));
    }

    #[test]
    fn it_is_converted_as_by_the_agent_unless_otherwise_asked() {
        let dir = TempDir::new().unwrap();
        let own = Conversion { network: "n1".into(), on_unsupported: OnUnsupported::Refuse };
        for conversion in [Conversion::default(), own.clone()] {
            let mut opened = open(dir.path(), conversion.clone());
            let taken = opened.mesh.take(said(vec![of_workload(evermesh_proto::workload::Workload {
                network: "n1".into(),
                waypoint: waypoint(),
                ..workload("w1", [10, 0, 0, 1], &["web"])
            })]));
            opened.keeper.remember(&taken.changed);
            opened.keeper.remember_all(Kind::Address, &opened.mesh);
            opened.keeper.keep();
            drop(opened);
            let mut told = None;
            let kept = read(dir.path(), |as_kept| told.insert(as_kept).clone()).unwrap().unwrap();
            assert_eq!(told.as_ref(), Some(&conversion));
            let workload = kept.mesh.snapshot().workloads().next().unwrap();
            assert_eq!(
                (workload.network.is_empty(), workload.withheld),
                (conversion == own, conversion == own)
            );
        }
        let kept = read(dir.path(), |_| Conversion::default()).unwrap().unwrap();
        assert!(!kept.mesh.snapshot().workloads().next().unwrap().withheld);
    }

    #[test]
    fn where_nothing_is_kept_nothing_is_made() {
        let dir = TempDir::new().unwrap();
        assert!(read(dir.path(), |as_kept| as_kept).unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_database_that_an_agent_has_open_is_read_too() {
        let dir = kept();
        let _open = open(dir.path(), Conversion::default());
        let kept = read(dir.path(), |as_kept| as_kept).unwrap().unwrap();
        assert_eq!(kept.mesh.snapshot().workload_count(), 1);
    }

    #[test]
    fn a_damaged_database_is_told_by_its_own_name_and_left_alone() {
        let dir = kept();
        let db = dir.path().join(DIRECTORY).join("db");
        let mut damaged = fs::read(&db).unwrap();
        damaged.iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(&db, damaged).unwrap();
        let before = bytes(dir.path());
        let error = read(dir.path(), |as_kept| as_kept).unwrap_err();
        assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
        assert!(before == bytes(dir.path()));
    }
}
