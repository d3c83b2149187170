use std::path::Path;

use super::JournalFile;
use crate::tally::TallyFile;

/// What changes of generation leave on the disk.
#[derive(Debug)]
pub struct Records {
    /// How far a change has come.
    pub journal: JournalFile,
    /// What generations have counted that are gone.
    pub tally: TallyFile,
}

impl Records {
    /// In that directory.
    pub fn open(state_dir: &Path) -> Self {
        Self { journal: JournalFile::open(state_dir), tally: TallyFile::open(state_dir) }
    }
}
