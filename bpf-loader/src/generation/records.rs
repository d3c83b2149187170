use std::path::Path;

use evermesh_pins::Table;
use tracing::warn;

use super::JournalFile;
use crate::tally::{Counts, TallyFile};

/// What changes of generation leave on the disk.
#[derive(Debug)]
pub struct Records {
    /// How far a change has come.
    pub journal: JournalFile,
    /// What generations have counted that are gone.
    pub tally: TallyFile,
    /// What there is to say of losses, once.
    lost: Vec<String>,
}

impl Records {
    /// In that directory.
    pub fn open(state_dir: &Path) -> Self {
        Self { journal: JournalFile::open(state_dir), tally: TallyFile::open(state_dir), lost: Vec::new() }
    }

    /// So much stood in a map that is replaced without it.
    pub fn lose(&mut self, table: Table, counts: Counts) {
        let entries: u64 = counts.counts.iter().map(|(_, entries)| entries).sum();
        let note = format!("{table}: {entries} entries are lost, as it was declared");
        warn!("{note}");
        self.lost.push(note);
        self.tally.add(counts);
    }

    /// What there is to say to people that was not said yet.
    pub fn take_notes(&mut self) -> Vec<String> {
        let lost = std::mem::take(&mut self.lost);
        lost.into_iter().chain(self.journal.take_note()).chain(self.tally.take_note()).collect()
    }
}
