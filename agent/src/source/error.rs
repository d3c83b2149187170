use std::{io, path::PathBuf};

use evermesh_model::InvalidSnapshot;

use super::Problems;

/// Why no mesh could be read. Whatever was read before stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing is there.
    #[error("`{path}` does not exist: create it, or name another file or directory")]
    Missing {
        /// What was named.
        path: PathBuf,
    },
    /// The directory does not let itself be listed.
    #[error("cannot list the directory `{path}`: let the agent read and enter it")]
    List {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file does not let itself be read.
    #[error("cannot read `{path}`: let the agent read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A pipe, a socket or a device, which may have no end.
    #[error("`{path}` is neither a file nor a directory: put the mesh into a file")]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// A directory in which nothing would be read.
    #[error("the directory `{path}` holds no file that ends in .yaml or .yml: put one there")]
    NoFiles {
        /// The directory.
        path: PathBuf,
    },
    /// More than a mesh can be.
    #[error("`{path}` brings the mesh to more than {limit} bytes: is it the right file?")]
    TooLarge {
        /// The file that went over the limit.
        path: PathBuf,
        /// Bytes of all files together.
        limit: u64,
    },
    /// Each look showed something else.
    #[error("`{path}` kept changing while it was read: replace files by renaming, not by writing into them")]
    Unsteady {
        /// What was named.
        path: PathBuf,
    },
    /// The files are there, and something in them is wrong.
    #[error("{0}")]
    Wrong(Problems),
    /// Everything by itself is right, and together it is no mesh.
    #[error("this is no mesh: {0}")]
    NoMesh(InvalidSnapshot),
}
