use std::{fmt, io, path::PathBuf};

use super::BadRecord;

/// Why a record could not be written, read or put aside.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The system refused a step.
    #[error("cannot {step} `{path}`: {}", step.advice())]
    Io {
        /// What was tried.
        step: Step,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes are there, or should be written, and are no record.
    #[error("snapshot `{path}`: {reason}")]
    Bad {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: BadRecord,
    },
    /// A directory, a pipe or a device stands in its place.
    #[error("`{path}` is not a file: remove it or move it away")]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
}

impl SnapshotError {
    /// Whether the file is there and can be read, but is of no use: it may be put aside.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Bad { reason, .. } if !matches!(reason, BadRecord::UnknownFormat { .. } | BadRecord::UnknownFlags { .. }))
    }

    /// Whether the new record is seen all the same: only a loss of power takes it back.
    pub fn is_seen(&self) -> bool {
        matches!(self, Self::Io { step: Step::SyncDirectory, .. })
    }
}

/// A step of writing, reading or putting aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Seeing what stands in the directory.
    List,
    /// Removing what an interrupted write or an old quarantine left.
    Remove,
    /// Making the file aside.
    Create,
    /// Filling it.
    Write,
    /// Waiting until it is on the disk.
    Sync,
    /// Putting it into the place of the old one.
    Rename,
    /// Waiting until that is on the disk. The new record is seen already, and may be lost with the power.
    SyncDirectory,
    /// Reading it.
    Read,
}

impl Step {
    fn advice(self) -> &'static str {
        match self {
            Self::Create | Self::Remove | Self::Rename => "make its directory writable, or name another one",
            Self::Write | Self::Sync | Self::SyncDirectory => "check the disk and the space left on it",
            Self::List | Self::Read => "check the disk, and who may read it",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list the directory",
            Self::Remove => "remove",
            Self::Create => "create a file in",
            Self::Write => "write",
            Self::Sync => "flush to disk",
            Self::Rename => "move into place",
            Self::SyncDirectory => "flush to disk the directory",
            Self::Read => "read",
        })
    }
}
