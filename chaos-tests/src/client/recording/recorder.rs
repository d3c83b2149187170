use std::{
    fs::File,
    io::{self, Write},
    mem,
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, Sender},
    thread::{self, JoinHandle},
};

use super::{END, MAGIC};
use crate::{Error, Result, client::Attempt};

/// Bytes that are handed over at once.
const CHUNK: usize = 1 << 16;

/// Writes a client's attempts to a file, on a thread of its own: a slow disk must not look like a slow mesh.
pub struct Recorder {
    path: PathBuf,
    chunk: Vec<u8>,
    chunks: Sender<Vec<u8>>,
    writer: JoinHandle<io::Result<()>>,
}

impl Recorder {
    /// Begins a new file.
    pub fn create(path: &Path) -> Result<Self> {
        let mut file = File::create(path).map_err(Error::path("create", path))?;
        // At once, so that the file of a client that dies early is still known as a recording.
        file.write_all(MAGIC).map_err(Error::path("write", path))?;
        let (chunks, written) = mpsc::channel();
        let writer = thread::spawn(move || write(file, &written));
        Ok(Self { path: path.to_path_buf(), chunk: Vec::with_capacity(CHUNK), chunks, writer })
    }

    /// Adds one.
    pub fn record(&mut self, attempt: Attempt) -> Result<()> {
        self.chunk.extend_from_slice(&attempt.to_bytes());
        if self.chunk.len() < CHUNK { Ok(()) } else { self.hand_over() }
    }

    /// Says that nothing is missing, and waits until all of it is written.
    pub fn finish(mut self) -> Result<()> {
        self.chunk.extend_from_slice(END);
        // If the writer has ended already, it says below why.
        let _ = self.hand_over();
        drop(self.chunks);
        match self.writer.join() {
            Ok(written) => written.map_err(Error::path("write", self.path)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn hand_over(&mut self) -> Result<()> {
        let chunk = mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let ended = |_| Error::path("write", &self.path)(io::ErrorKind::BrokenPipe.into());
        self.chunks.send(chunk).map_err(ended)
    }
}

fn write(mut file: File, chunks: &Receiver<Vec<u8>>) -> io::Result<()> {
    chunks.iter().try_for_each(|chunk| file.write_all(&chunk))
}
