use std::{
    fs::File,
    io::{BufReader, ErrorKind, Read},
    path::{Path, PathBuf},
};

use super::{END, MAGIC};
use crate::{
    Error, Result,
    client::{ATTEMPT_LEN, Attempt},
};

/// Reads a client's attempts one by one, in their order.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: BufReader<File>,
    complete: bool,
}

impl Recording {
    /// Opens a file that [`super::Recorder`] wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::path("open", path))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic).map_err(Error::path("read", path))?;
        if &magic != MAGIC {
            return Err(invalid(path, "it begins otherwise"));
        }
        Ok(Self { path: path.to_path_buf(), file, complete: false })
    }

    /// The next attempt; `None` after the last.
    pub fn next_attempt(&mut self) -> Result<Option<Attempt>> {
        let mut bytes = [0; ATTEMPT_LEN];
        match self.file.read_exact(&mut bytes) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read.map_err(Error::path("read", &self.path))?,
        }
        if &bytes == END {
            self.complete = true;
            return Ok(None);
        }
        Attempt::from_bytes(&bytes).map(Some).ok_or_else(|| invalid(&self.path, "it holds unknown bytes"))
    }

    /// Whether the client finished it: known after the last attempt.
    pub fn complete(&self) -> bool {
        self.complete
    }
}

fn invalid(path: &Path, why: &str) -> Error {
    Error::Recording { path: path.to_path_buf(), why: why.to_owned() }
}
