use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const BEHIND: &[u8] = b"1";
const NOT_BEHIND: &[u8] = b"0";

/// A file beside the database that says whether traffic obeys what the database does not hold. Its one byte is written in
/// place: a disk that is full has room for that.
#[derive(Debug)]
pub(super) struct Lag {
    path: PathBuf,
    file: Option<File>,
    is_behind: bool,
}

impl Lag {
    pub fn beside(directory: &Path) -> Self {
        let path = directory.with_added_extension("behind");
        let is_behind = fs::read(&path).is_ok_and(|bytes| bytes == BEHIND);
        Self { path, file: None, is_behind }
    }

    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Makes the file while there is room for it.
    pub fn prepare(&mut self) -> io::Result<()> {
        if self.path.exists() { Ok(()) } else { self.write(self.is_behind) }
    }

    /// When this returns it is on the disk.
    pub fn set(&mut self, is_behind: bool) -> io::Result<()> {
        if is_behind != self.is_behind {
            self.write(is_behind)?;
            self.is_behind = is_behind;
        }
        Ok(())
    }

    fn write(&mut self, is_behind: bool) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(options.open(&self.path)?),
        };
        file.write_all_at(if is_behind { BEHIND } else { NOT_BEHIND }, 0)?;
        file.sync_data()
    }
}
