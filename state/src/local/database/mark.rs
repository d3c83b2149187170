use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rand::random;
use xxhash_rust::xxh3::xxh3_64;

/// How far a database has come. It stands in the database and, when that is on the disk, in a file beside it: a database that has
/// lost what was written last, or that is another one, does not pass for what was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Of this database, by chance.
    pub database: u64,
    /// Writes so far.
    pub writes: u64,
}

/// What the file begins with, before the number of its format: those are the same in every format.
const MAGIC: &[u8] = b"evermark";
const FORMAT: u32 = 1;

const NUMBER: usize = size_of::<u64>();
const HEAD: usize = MAGIC.len() + size_of::<u32>();
const LENGTH: usize = HEAD + 3 * NUMBER;

/// What the file beside a database says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Nothing, or there is none.
    Nothing,
    /// How far the database has come.
    Mark(Mark),
    /// Something that only another release understands.
    Format {
        /// Its number.
        found: u32,
        /// Ours.
        known: u32,
    },
}

impl Beside {
    fn of(bytes: &[u8]) -> Self {
        let read = || {
            let (format, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
            match u32::from_le_bytes(*format) {
                FORMAT => Mark::from_bytes(rest).map(Self::Mark),
                found => Some(Self::Format { found, known: FORMAT }),
            }
        };
        read().unwrap_or(Self::Nothing)
    }
}

impl Mark {
    /// Of a new database.
    pub fn new() -> Self {
        Self { database: random(), writes: 0 }
    }

    pub fn next(self) -> Self {
        Self { writes: self.writes.wrapping_add(1), ..self }
    }

    pub fn to_bytes(self) -> Vec<u8> {
        let numbers = [self.database.to_le_bytes(), self.writes.to_le_bytes()].concat();
        [&numbers[..], &xxh3_64(&numbers).to_le_bytes()].concat()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, sum) = bytes.split_at_checked(2 * NUMBER)?;
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).ok();
        (number(sum)? == xxh3_64(numbers)).then_some(())?;
        Some(Self { database: number(&numbers[..NUMBER])?, writes: number(&numbers[NUMBER..])? })
    }
}

/// The file beside the database. Its few bytes are written in place: they fit into one sector.
#[derive(Debug)]
pub(super) struct MarkFile {
    path: PathBuf,
    file: Option<File>,
}

impl MarkFile {
    pub fn beside(directory: &Path) -> Self {
        Self { path: directory.with_added_extension("mark"), file: None }
    }

    pub fn read(&self) -> io::Result<Beside> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Beside::of(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Beside::Nothing),
            Err(error) => Err(error),
        }
    }

    /// When this returns it is on the disk.
    pub fn write(&mut self, mark: Mark) -> io::Result<()> {
        if self.file.is_none() {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
            self.file = Some(file);
        }
        let Some(file) = &self.file else { return Ok(()) };
        file.write_all_at(&[MAGIC, &FORMAT.to_le_bytes(), &mark.to_bytes()].concat(), 0)?;
        file.set_len(LENGTH as u64)?;
        file.sync_data()
    }

    /// So that it says nothing of the next database.
    pub fn remove(&mut self) -> io::Result<()> {
        self.file = None;
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
