use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{Digest, PROGRAMS, ReleaseError, Stamps, error::failed, manifest::digest_of};

/// A directory with the programs of one version, measured.
#[derive(Clone, Debug)]
pub struct Source {
    /// The directory.
    pub dir: PathBuf,
    /// The digest of the release.
    pub digest: Digest,
    /// Name, size and digest of each program.
    pub programs: Vec<(&'static str, u64, Digest)>,
}

impl Source {
    /// The release that a user names: its directory, or one of its programs.
    pub fn named(path: &Path, stamps: &mut Stamps) -> Result<Self, ReleaseError> {
        let is_program = || path.file_name().is_some_and(|name| PROGRAMS.iter().any(|it| name == *it));
        match (path.is_dir(), path.is_file() && is_program(), path.parent()) {
            (true, ..) => Self::measure(path, stamps),
            (_, true, Some(dir)) => {
                Self::measure(if dir == Path::new("") { ".".as_ref() } else { dir }, stamps)
            }
            _ => Err(ReleaseError::NoRelease { path: path.into() }),
        }
    }

    /// The release in that directory.
    pub fn measure(dir: &Path, stamps: &mut Stamps) -> Result<Self, ReleaseError> {
        let dir = fs::canonicalize(dir).map_err(failed("find", dir))?;
        // All are looked at before one is read.
        let sizes = PROGRAMS.iter().map(|name| size(&dir, name)).collect::<Result<Vec<_>, _>>()?;
        let mut programs = Vec::new();
        for (name, size) in PROGRAMS.into_iter().zip(sizes) {
            let path = dir.join(name);
            programs.push((name, size, stamps.digest(&path).map_err(failed("read", path))?));
        }
        Ok(Self { dir, digest: digest_of(programs.iter().copied()), programs })
    }

    /// Of all its programs, in bytes.
    pub fn size(&self) -> u64 {
        self.programs.iter().map(|(_, size, _)| size).sum()
    }
}

fn size(dir: &Path, name: &str) -> Result<u64, ReleaseError> {
    let path = dir.join(name);
    let wrong = |what| ReleaseError::NoProgram { path: path.clone(), what, dir: dir.into() };
    match fs::metadata(&path) {
        Ok(file) if !file.is_file() => Err(wrong("no file")),
        Ok(file) if file.permissions().mode() & 0o111 == 0 => Err(wrong("not executable")),
        Ok(file) if file.len() == 0 => Err(wrong("empty")),
        Ok(file) => Ok(file.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(wrong("missing")),
        Err(source) => Err(ReleaseError::Io { step: "look at", path, source }),
    }
}
