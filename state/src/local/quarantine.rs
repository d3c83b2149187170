use std::path::{Path, PathBuf};

use super::{
    SnapshotError,
    snapshot_file::{names, remove_all},
};

/// Enough to see a pattern, too few to fill a disk.
const KEPT: usize = 4;

/// The records that were moved away earlier, as `NAME.quarantine.N`.
pub(super) struct Quarantine<'a> {
    directory: &'a Path,
    prefix: String,
    /// Ascending: the last one is the newest.
    numbers: Vec<u64>,
}

impl<'a> Quarantine<'a> {
    pub fn of(directory: &'a Path, name: &str) -> Result<Self, SnapshotError> {
        let prefix = format!("{name}.quarantine.");
        let number = |name: &String| name.strip_prefix(&prefix)?.parse().ok();
        let mut numbers: Vec<u64> = names(directory)?.iter().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(Self { directory, prefix, numbers })
    }

    /// The place of the next one.
    pub fn next(&self) -> PathBuf {
        self.place(self.numbers.last().map_or(1, |newest| newest.saturating_add(1)))
    }

    /// Makes room: with the next one there are as many as are kept.
    pub fn forget_oldest(&self) -> Result<(), SnapshotError> {
        let surplus = (self.numbers.len() + 1).saturating_sub(KEPT);
        self.numbers[..surplus].iter().try_for_each(|number| remove_all(&self.place(*number)))
    }

    fn place(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{}{number}", self.prefix))
    }
}
