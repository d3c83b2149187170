use std::{fmt, path::PathBuf};

use evermesh_pins::Table;
use evermesh_state::local::{SnapshotError, SnapshotFile};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{TableSizes, boot::boot_id, causes::in_full};

/// How far a change of generation has come, and which ones failed. It speaks of the kernel's objects, so it is of no
/// account after a reboot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The boot that it speaks of.
    pub boot: String,
    /// The change that is not over.
    pub change: Option<Change>,
    /// What failed last, however often.
    pub failures: Option<Failures>,
}

/// A change of generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The generation that is live.
    pub from: u32,
    /// The one that shall be.
    pub to: u32,
    /// What it consists of.
    pub wanted: Wanted,
    /// How far it is.
    pub stage: Stage,
    /// Frozen maps that it brings anew without what stands in them: somebody has declared their loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Table>,
}

/// Which programs over which tables: what a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// SHA-256 of the eBPF object.
    pub object: [u8; 32],
    /// Sizes of the tables.
    pub sizes: TableSizes,
}

/// How far a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The generation is being made; traffic knows nothing of it.
    Making,
    /// Links are led to it; it is on trial.
    Trial,
    /// It has proven itself: whatever happens now, it stays.
    Committed,
    /// Links are led back.
    RollingBack,
}

/// How often a change to the same programs and tables was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// What it was for.
    pub wanted: Wanted,
    /// How often.
    pub count: u32,
    /// Why, the last time.
    pub reason: String,
}

/// What is written into the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A change begins.
    Begin(Change),
    /// It has come so far.
    Reached(Stage),
    /// It is over, and the new generation stays.
    Done,
    /// It is over, and the old generation stays.
    Undone {
        /// Why.
        reason: String,
    },
}

impl Journal {
    /// So often is one change tried; then what stands stays.
    pub const TRIES: u32 = 3;

    /// What it says after an entry.
    #[must_use]
    pub fn after(mut self, entry: &Entry) -> Self {
        match entry {
            Entry::Begin(change) => self.change = Some(change.clone()),
            Entry::Reached(stage) => self.change.iter_mut().for_each(|change| change.stage = *stage),
            Entry::Done => (self.change, self.failures) = (None, None),
            Entry::Undone { reason } => {
                if let Some(change) = self.change.take() {
                    let before = self.failures.take().filter(|failures| failures.wanted == change.wanted);
                    let count = before.map_or(0, |failures| failures.count) + 1;
                    let reason = reason.clone();
                    self.failures = Some(Failures { wanted: change.wanted, count, reason });
                }
            }
        }
        self
    }

    /// Why this change is not tried again, if so.
    pub fn holds(&self, wanted: &Wanted) -> Option<&Failures> {
        self.failures.as_ref().filter(|failures| failures.wanted == *wanted && failures.count >= Self::TRIES)
    }
}

impl Entry {
    /// Whether nothing that follows is done before it is on the disk. Of all else the kernel's objects tell: whoever finds an older entry
    /// does what was done already once more, and there is nothing left of it to be done.
    ///
    /// A change that stays is found by it alone, as long as `live` does not name it. One that begins: the entry before may say of the
    /// same numbers that they were committed; and one that takes its agent with it is to be counted. At both moments going no further leaves
    /// traffic where it was, or leads it back.
    pub fn is_awaited(&self) -> bool {
        match self {
            Self::Begin(_) | Self::Reached(Stage::Committed) => true,
            Self::Reached(Stage::Making | Stage::Trial | Stage::RollingBack)
            | Self::Done
            | Self::Undone { .. } => false,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(change) => {
                write!(f, "that generation {} shall follow {}", change.to, change.from)
            }
            Self::Reached(stage) => write!(f, "that the change is {stage}"),
            Self::Done => f.write_str("that the change is over"),
            Self::Undone { .. } => f.write_str("that the change is undone"),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Making => "being made",
            Self::Trial => "on trial",
            Self::Committed => "committed",
            Self::RollingBack => "being rolled back",
        })
    }
}

/// An entry that is awaited could not be written: the change goes no further.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be written")]
pub struct JournalError(#[from] SnapshotError);

/// The journal on disk.
#[derive(Clone, Debug)]
pub struct JournalFile {
    file: SnapshotFile,
    now: Journal,
    note: Option<String>,
}

impl JournalFile {
    const NAME: &str = "journal";

    /// Reads it. What is not of this boot, or cannot be read, says nothing: whatever it would tell, leading traffic back
    /// to what is live is right.
    pub fn open(state_dir: impl Into<PathBuf>) -> Self {
        let file = SnapshotFile::new(state_dir, Self::NAME);
        let boot = boot_id();
        let read = file.read().unwrap_or_else(|error| {
            warn!(%error, "the journal is of no use");
            None
        });
        let said = read.and_then(|bytes| serde_json::from_slice::<Journal>(&bytes).ok());
        let now = said.filter(|journal| journal.boot == boot && !boot.is_empty());
        Self { file, now: now.unwrap_or(Journal { boot, ..Journal::default() }), note: None }
    }

    /// What it says.
    pub fn now(&self) -> &Journal {
        &self.now
    }

    /// Adds an entry. One that is awaited is on the disk when this returns; one that is not, and cannot be written, is told, and goes
    /// there with the next.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let next = self.now.clone().after(entry);
        let bytes = serde_json::to_vec(&next).unwrap_or_default();
        match self.file.write(&bytes) {
            // What it speaks of does not outlast a loss of power either.
            Err(error) if !error.is_seen() && entry.is_awaited() => return Err(error.into()),
            Err(error) if !error.is_seen() => self.tell(entry, &error),
            Ok(()) | Err(_) => {}
        }
        self.now = next;
        Ok(())
    }

    /// What there is to say about it, once.
    pub fn take_note(&mut self) -> Option<String> {
        self.note.take()
    }

    fn tell(&mut self, entry: &Entry, error: &SnapshotError) {
        let note = format!("the journal does not say {entry}, which nothing waits for: {}", in_full(error));
        warn!("{note}");
        self.note = Some(note);
    }
}
