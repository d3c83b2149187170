use std::{error::Error, path::Path};

use evermesh_model::LastApplied;
use evermesh_state::local::{SnapshotError, SnapshotFile};

/// Why it is not known what was applied last.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The record could not be read, or its bytes are damaged.
    #[error("the configuration applied last cannot be read: {0}{cause}", cause = cause(.0))]
    Read(#[from] SnapshotError),
    /// The bytes are those that were written, and no configuration to this release.
    #[error("the configuration applied last, {path}, is not one of this release: {source}")]
    Foreign {
        /// The record.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
}

fn cause(error: &dyn Error) -> String {
    error.source().map(|cause| format!(" ({cause})")).unwrap_or_default()
}

/// What the agent applied last; none where it never did. Changes nothing on disk.
pub fn read(state_dir: &Path) -> Result<Option<LastApplied>, RecordError> {
    let record = SnapshotFile::new(state_dir, LastApplied::RECORD);
    let Some(bytes) = record.read()? else { return Ok(None) };
    let foreign = |source| RecordError::Foreign { path: record.path().display().to_string(), source };
    LastApplied::decode(&bytes).map(Some).map_err(foreign)
}
