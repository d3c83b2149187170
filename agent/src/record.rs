use std::path::{Path, PathBuf};

use evermesh_model::LastApplied;
use evermesh_state::local::{SnapshotError, SnapshotFile};
use tracing::warn;

use crate::message;

/// What was applied last, on disk.
#[derive(Clone, Debug)]
pub struct Record(SnapshotFile);

impl Record {
    pub fn new(state_dir: &Path) -> Self {
        Self(SnapshotFile::new(state_dir, LastApplied::RECORD))
    }

    /// What an agent applied last, and a note where it is of no use. Such a record is moved away, or the next one could
    /// not be told from it; a start never fails for it.
    pub fn read(&self) -> (Option<LastApplied>, Option<String>) {
        match self.0.read() {
            Ok(None) => (None, None),
            Ok(Some(bytes)) => match LastApplied::decode(&bytes) {
                Ok(record) => (Some(record), None),
                Err(error) => (None, Some(self.set_aside(&error.to_string()))),
            },
            Err(error) if error.is_damage() => (None, Some(self.set_aside(&message::of(&error)))),
            Err(error) => (None, Some(noted(&message::of(&error)))),
        }
    }

    /// When this returns, the record survives a power cut.
    pub fn write(&self, applied: &LastApplied) -> Result<(), String> {
        let bytes = applied.encode().map_err(|error| error.to_string())?;
        self.0.write(&bytes).map_err(|error: SnapshotError| message::of(&error))
    }

    fn set_aside(&self, reason: &str) -> String {
        let place = |path: PathBuf| format!("; it was moved to {}", path.display());
        match self.0.quarantine() {
            Ok(moved) => noted(&format!("{reason}{}", moved.map(place).unwrap_or_default())),
            Err(error) => noted(&format!("{reason}; it could not be moved away: {}", message::of(&error))),
        }
    }
}

fn noted(reason: &str) -> String {
    let note = format!("what was applied last is not known: {reason}");
    warn!("{note}");
    note
}

#[cfg(test)]
mod tests {
    use std::fs;

    use evermesh_model::Snapshot;

    use super::*;

    fn applied() -> LastApplied {
        LastApplied {
            source: "/etc/mesh.yaml".into(),
            digest: [7; 32],
            applied_unix_ms: 1,
            warnings: vec![],
            snapshot: Snapshot::default(),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::new(dir.path());
        assert_eq!(record.read(), (None, None));
        record.write(&applied()).unwrap();
        assert_eq!(record.read(), (Some(applied()), None));
    }

    #[test]
    fn a_damaged_record_is_moved_away_and_noted() {
        let dir = tempfile::tempdir().unwrap();
        let record = Record::new(dir.path());
        record.write(&applied()).unwrap();
        let path = dir.path().join(LastApplied::RECORD);
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        let (found, note) = record.read();
        assert_eq!(found, None);
        assert!(note.unwrap().contains("moved to"), "the note says where");
        assert!(!path.exists());
    }

    #[test]
    fn a_record_that_is_no_configuration_is_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        SnapshotFile::new(dir.path(), LastApplied::RECORD).write(b"{}").unwrap();
        let (found, note) = Record::new(dir.path()).read();
        assert_eq!(found, None);
        assert!(note.unwrap().contains("missing field"), "the note says why");
        assert_eq!(Record::new(dir.path()).read(), (None, None));
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(LastApplied::RECORD)).unwrap();
        let (found, note) = Record::new(dir.path()).read();
        assert!(found.is_none() && note.is_some());
        assert!(dir.path().join(LastApplied::RECORD).exists());
    }
}
