use std::{io, path::PathBuf};

/// Why a database could not be opened, read, written or moved away.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The files are not there for us, or make no sense to sled.
    #[error("cannot open the database `{path}`: {source}")]
    Open {
        /// The directory.
        path: PathBuf,
        /// What sled says.
        source: sled::Error,
    },
    /// A database that was open fails.
    #[error("the database `{path}` fails: {source}; check the disk and the space left on it")]
    Access {
        /// The directory.
        path: PathBuf,
        /// What sled says.
        source: sled::Error,
    },
    /// There was no thread to read it with.
    #[error(
        "cannot read the database `{path}`: no thread can be started: {source}; raise the limit of processes"
    )]
    Thread {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// sled gave up.
    #[error("the database `{path}` cannot be used: {reason}")]
    Panicked {
        /// The directory.
        path: PathBuf,
        /// Its last words.
        reason: String,
    },
    /// It opens, and is not what was written.
    #[error("the database `{path}` is damaged: {damage}")]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// How that shows.
        damage: Damage,
    },
    /// Another release wrote it.
    #[error(
        "{} release wrote the database `{path}`: it is of format {found}, and this one knows format {known}",
        if found > known { "a newer" } else { "an older" }
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// What it, or the file beside it, says.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// It could not be moved away.
    #[error("cannot move the database `{path}` away: {source}")]
    SetAside {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DatabaseError {
    /// Whether another attempt may do: the files are held by another process, or the disk was full or away, or there were too many threads.
    pub fn may_pass(&self) -> bool {
        let of_disk = |source: &sled::Error| matches!(source, sled::Error::Io(_));
        match self {
            Self::Open { source, .. } | Self::Access { source, .. } => of_disk(source),
            Self::Thread { .. } | Self::SetAside { .. } => true,
            Self::Panicked { .. } | Self::Damaged { .. } | Self::Format { .. } => false,
        }
    }
}

/// How it shows that a database is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A value.
    #[error("a record does not match its checksum")]
    Checksum,
    /// All of them.
    #[error("its records are not those that belong together")]
    Sum,
    /// What was written last is not there.
    #[error("it has lost what was written last")]
    Older,
    /// It is not the one that was here.
    #[error("it is another one than the one that was written here")]
    Another,
    /// Its beginning.
    #[error("it does not say its format")]
    NoFormat,
}
