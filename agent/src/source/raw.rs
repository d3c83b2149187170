use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{
    Loaded, SourceError,
    files::{Stamp, contents, list},
    mesh::Mesh,
};

/// Looks at files that somebody is just replacing.
const TRIES: usize = 5;

/// The files of a source, read but not understood yet.
#[derive(Debug)]
pub struct Raw {
    files: Vec<(PathBuf, Vec<u8>)>,
    digest: [u8; 32],
}

/// Reads a file, or all `*.yaml` and `*.yml` files of a directory, in the order of their names. All of them are
/// from one moment: when a file changes or goes meanwhile, they are read again.
pub fn read(path: &Path) -> Result<Raw, SourceError> {
    let mut failure = SourceError::Unsteady { path: path.to_owned() };
    for _ in 0..TRIES {
        match read_once(path) {
            Ok(Some(raw)) => return Ok(raw),
            Ok(None) => {}
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Nothing, when the files were not the same before and after.
fn read_once(path: &Path) -> Result<Option<Raw>, SourceError> {
    let listed = list(path)?;
    let stamp = Stamp::of(&listed)?;
    let files = contents(listed)?;
    let steady = Stamp::of(&list(path)?)? == stamp;
    Ok(steady.then(|| Raw { digest: digest(&files), files }))
}

impl Raw {
    /// SHA-256 over the names and bytes of the files: equal when [`Raw::parse`] gives the same mesh.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Understands the files. Takes about a second for 100,000 workloads, so it has no place on a thread that
    /// serves others.
    pub fn parse(self) -> Result<Loaded, SourceError> {
        let mut mesh = Mesh::default();
        for (path, bytes) in &self.files {
            mesh.add_file(path, bytes);
        }
        let (snapshot, warnings) = mesh.finish()?;
        let files = self.files.into_iter().map(|(path, _)| path).collect();
        Ok(Loaded { snapshot, digest: self.digest, warnings, files })
    }
}

/// Lengths go in too, so that no byte can move from one file to the next unnoticed.
fn digest(files: &[(PathBuf, Vec<u8>)]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (path, bytes) in files {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        for part in [name, bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}
