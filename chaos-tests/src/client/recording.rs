use std::{
    fs::File,
    io::{BufReader, BufWriter, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use super::{ATTEMPT_LEN, Attempt};
use crate::{Error, Result};

/// First bytes of a recording: its form and version.
const MAGIC: &[u8; 8] = b"EVMATT\0\x01";
/// Stands where an attempt would, after the last one: a client that was killed does not write it.
const END: &[u8; ATTEMPT_LEN] = b"end of the recording, nothing follows it";

/// Writes a client's attempts to a file.
pub struct Recorder {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Recorder {
    /// Begins a new file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::path("create", path))?;
        let mut recorder = Self { path: path.to_path_buf(), file: BufWriter::with_capacity(1 << 16, file) };
        recorder.write(MAGIC)?;
        // At once, so that the file of a client that dies early is still known as a recording.
        recorder.flush()?;
        Ok(recorder)
    }

    /// Adds one.
    pub fn record(&mut self, attempt: Attempt) -> Result<()> {
        self.write(&attempt.to_bytes())
    }

    /// Says that nothing is missing.
    pub fn finish(mut self) -> Result<()> {
        self.write(END)?;
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(Error::path("write", &self.path))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::path("write", &self.path))
    }
}

/// Reads a client's attempts one by one, in their order.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    file: BufReader<File>,
    complete: bool,
}

impl Recording {
    /// Opens a file that [`Recorder`] wrote.
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
