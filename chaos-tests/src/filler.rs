//! A disk that fills up.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::{Error, Result};

/// A file that takes what is left of a disk.
#[derive(Clone, Debug)]
pub struct Filler(PathBuf);

impl Filler {
    /// Of the disk on which that directory is.
    pub fn in_directory(directory: &Path) -> Self {
        Self(directory.join("filler"))
    }

    /// Takes all of it.
    pub fn fill(&self) -> Result<()> {
        let failed = || Error::path("fill", &self.0);
        let mut file = File::create(&self.0).map_err(failed())?;
        loop {
            match file.write_all(&[1; 4096]) {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                written => written.map_err(failed())?,
            }
        }
    }

    /// Gives it back.
    pub fn make_room(&self) -> Result<()> {
        fs::remove_file(&self.0).map_err(Error::path("remove", &self.0))
    }
}
