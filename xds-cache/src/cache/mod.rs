//! What a control plane said and traffic obeys, on disk: with it a node starts without the control plane.

mod entry;
mod keeper;
mod lag;
mod reading;
mod recall;

use std::path::{Path, PathBuf};

use evermesh_state::local::{Database, DatabaseError};

use crate::{Conversion, Mesh, Rejected, Whole};
pub use keeper::Keeper;
use lag::Lag;
pub use reading::{Kept, ReadError, read};
use recall::{Recalled, recall};

/// Name of the database in the state directory.
pub const DIRECTORY: &str = "xds";

/// What was found on disk.
#[derive(Debug)]
pub struct Opened {
    /// The mesh that follows from it; empty where there is nothing of use.
    pub mesh: Mesh,
    /// Which kinds it knows completely.
    pub whole: Whole,
    /// It is the last mesh that was applied whole, and traffic obeys a part of a newer one.
    pub outdated: bool,
    /// What keeps it from now on.
    pub keeper: Keeper,
    /// What a user should know.
    pub notes: Vec<String>,
}

/// Reads what is kept in the state directory. A database that is of no use is moved away, and a start never fails for it.
pub fn open(state_dir: &Path, conversion: Conversion) -> Opened {
    let directory = state_dir.join(DIRECTORY);
    let mut notes = Vec::new();
    let opened = usable(&directory, || recall(&directory, &conversion), |note| notes.push(note));
    let (database, recalled) = match opened {
        Ok((database, recalled)) => (Some(database), recalled),
        Err(error) => {
            notes.push(format!("what the control plane says is not kept: {error}"));
            (None, Recalled::nothing(conversion.clone()))
        }
    };
    // One that could not be opened is left as it is until more is known than it holds.
    let is_new = database.is_some() && recalled.conversion.as_ref() != Some(&conversion);
    let Recalled { mesh, whole: mut holds, mut outdated, synced_unix_ms, rejected, unreadable, .. } =
        recalled;
    let lag = Lag::beside(&directory);
    if lag.is_behind() && holds.is_all() {
        notes.push(format!(
            "the database {} could not be written last: it is passed over",
            directory.display()
        ));
        (holds, outdated) = (Whole::default(), false);
    }
    notes.extend(rejected.iter().map(no_longer_understood));
    if unreadable > 0 {
        notes.push(format!("{unreadable} entries of the database {} could not be read", directory.display()));
    }
    let keeper = Keeper::new(directory, database, lag, holds, outdated, synced_unix_ms, conversion.clone());
    if is_new {
        keeper.keep_conversion(&conversion);
    }
    let whole = if outdated { Whole::default() } else { holds };
    Opened { mesh, whole, outdated, keeper, notes }
}

fn no_longer_understood(rejected: &Rejected) -> String {
    format!("{} was kept and is not understood by this release: {}", rejected.name.name, rejected.reason)
}

/// Opens the database; one that is of no use is moved away, which is told, and a new one begun.
fn usable<T>(
    directory: &Path,
    open: impl Fn() -> Result<T, DatabaseError>,
    tell: impl FnOnce(String),
) -> Result<T, DatabaseError> {
    match open() {
        Err(error) if !error.may_pass() => {
            tell(set_aside(directory, &error));
            open()
        }
        opened => opened,
    }
}

fn set_aside(directory: &Path, error: &DatabaseError) -> String {
    let place = |path: PathBuf| format!("; it was moved to {}", path.display());
    match Database::set_aside(directory) {
        Ok(moved) => format!("{error}{}", moved.map(place).unwrap_or_default()),
        Err(failed) => format!("{error}; {failed}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        Kind, Said,
        samples::{of_service, of_workload, policy, said, service, workload},
    };

    fn keep(state_dir: &Path, said: Vec<Said>) -> Opened {
        let mut opened = open(state_dir, Conversion::default());
        for said in said {
            let kind = said.kind;
            let taken = opened.mesh.take(said);
            opened.keeper.remember(&taken.changed);
            opened.keeper.remember_all(kind, &opened.mesh);
        }
        opened.keeper.keep();
        opened
    }

    fn all() -> Vec<Said> {
        let resources = vec![
            of_service(service("web", &[[10, 96, 0, 1]])),
            of_workload(workload("w1", [10, 0, 0, 1], &["web"])),
            of_workload(workload("w2", [10, 0, 0, 2], &["web"])),
        ];
        vec![said(resources), Said { kind: Kind::Authorization, ..said(vec![policy("p1")]) }]
    }

    #[test]
    fn what_was_kept_is_the_mesh_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = keep(dir.path(), all());
        let (digest, snapshot) = (first.mesh.digest(), first.mesh.snapshot().clone());
        drop(first);
        let gone = Said { removed: vec!["w1".into()], ..said(vec![]) };
        let again = keep(dir.path(), vec![gone]);
        assert_ne!(again.mesh.digest(), digest);
        assert_eq!(snapshot.workload_count(), 2);
        drop(again);
        let last = open(dir.path(), Conversion::default());
        assert_eq!((last.mesh.snapshot().workload_count(), last.mesh.count(Kind::Authorization)), (1, 1));
        assert!(last.whole.is_all() && last.notes.is_empty(), "{:?}", last.notes);
    }

    #[test]
    fn more_than_is_written_at_once_is_the_mesh_again() {
        let dir = tempfile::tempdir().unwrap();
        let (high, low) = (|n: u16| n.to_be_bytes()[0], |n: u16| n.to_be_bytes()[1]);
        let one = |n: u16| workload(&format!("w{n}"), [10, 1, high(n), low(n)], &["web"]);
        let many = (0..10_000).map(|n| of_workload(one(n)));
        let first = keep(dir.path(), all().into_iter().chain([said(many.collect())]).collect());
        let digest = first.mesh.digest();
        drop(first);
        let again = open(dir.path(), Conversion::default());
        assert!(again.whole.is_all() && again.notes.is_empty(), "{:?}", again.notes);
        assert_eq!(again.mesh.digest(), digest);
    }

    #[test]
    fn what_was_not_applied_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut opened = keep(dir.path(), all());
        let taken = opened.mesh.take(said(vec![of_workload(workload("w3", [10, 0, 0, 3], &["web"]))]));
        opened.keeper.remember(&taken.changed);
        drop(opened);
        assert_eq!(open(dir.path(), Conversion::default()).mesh.snapshot().workload_count(), 2);
    }

    #[test]
    fn a_database_whose_mesh_was_not_applied_is_not_whole_until_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut opened = keep(dir.path(), all());
        let taken = opened.mesh.take(said(vec![of_workload(workload("w3", [10, 0, 0, 3], &["web"]))]));
        opened.keeper.remember(&taken.changed);
        opened.keeper.fall_behind();
        drop(opened);
        let again = open(dir.path(), Conversion::default());
        assert_eq!((again.mesh.snapshot().workload_count(), again.whole), (2, Whole::default()));
        assert!(again.outdated && again.notes.is_empty(), "{:?}", again.notes);
        drop(again);
        let mut caught_up = open(dir.path(), Conversion::default());
        caught_up.keeper.fall_behind();
        let gone = Said { removed: vec!["w1".into()], ..said(vec![]) };
        caught_up.keeper.remember(&caught_up.mesh.take(gone).changed);
        caught_up.keeper.keep();
        drop(caught_up);
        let last = open(dir.path(), Conversion::default());
        assert_eq!((last.mesh.snapshot().workload_count(), last.whole.is_all()), (1, true));
        assert!(!last.outdated);
    }

    #[test]
    fn a_database_that_is_damaged_is_moved_away_and_a_new_one_begun() {
        let dir = tempfile::tempdir().unwrap();
        drop(keep(dir.path(), all()));
        let db = dir.path().join(DIRECTORY).join("db");
        let mut bytes = std::fs::read(&db).unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
        std::fs::write(&db, bytes).unwrap();
        let opened = open(dir.path(), Conversion::default());
        assert!(opened.notes[0].contains("xds.quarantine.1"), "{:?}", opened.notes);
        assert_eq!((opened.mesh.snapshot().workload_count(), opened.whole.is_all()), (0, false));
        assert!(!opened.keeper.holds().is_all());
    }

    #[test]
    fn a_database_that_cannot_be_written_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let in_the_way = dir.path().join(DIRECTORY);
        std::fs::write(&in_the_way, b"a file").unwrap();
        let mut opened = open(dir.path(), Conversion::default());
        assert!(!opened.notes.is_empty());
        std::fs::remove_file(&in_the_way).ok();
        let taken = opened.mesh.take(all().remove(0));
        opened.keeper.remember(&taken.changed);
        opened.keeper.keep();
        assert!(opened.keeper.wait(Duration::from_secs(20)), "{:?}", opened.keeper.failure());
        drop(opened);
        assert_eq!(open(dir.path(), Conversion::default()).mesh.snapshot().workload_count(), 2);
    }
}
