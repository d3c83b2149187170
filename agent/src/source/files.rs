use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::SourceError;

/// All files together. 100,000 workloads take about 25 MB.
const BYTES_MAX: u64 = 1 << 30;

/// The files that make up the source, in the order in which they are read.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => list_directory(path),
        Ok(found) if found.is_file() => Ok(vec![path.to_owned()]),
        Ok(_) => Err(SourceError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SourceError::Missing { path: path.to_owned() })
        }
        Err(source) => Err(SourceError::Read { path: path.to_owned(), source }),
    }
}

fn list_directory(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let entries: io::Result<Vec<_>> = fs::read_dir(path).and_then(Iterator::collect);
    let entries = entries.map_err(|source| SourceError::List { path: path.to_owned(), source })?;
    let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).filter(|file| is_yaml(file)).collect();
    files.sort();
    if files.is_empty() {
        return Err(SourceError::NoFiles { path: path.to_owned() });
    }
    Ok(files)
}

/// `*.yaml` and `*.yml`, but no dot-files: editors and Kubernetes keep theirs in between.
pub(super) fn is_yaml(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

/// What tells two states of the files apart without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(Vec<(PathBuf, [i64; 6])>);

impl Stamp {
    pub fn of(files: &[PathBuf]) -> Result<Self, SourceError> {
        let stamps = files.iter().map(|file| match fs::metadata(file) {
            Ok(found) => Ok((file.clone(), traits_of(&found))),
            Err(source) => Err(SourceError::Read { path: file.clone(), source }),
        });
        stamps.collect::<Result<_, _>>().map(Self)
    }
}

fn traits_of(found: &Metadata) -> [i64; 6] {
    let (device, inode, length) = (found.dev(), found.ino(), found.len());
    let [device, inode, length] = [device, inode, length].map(u64::cast_signed);
    [device, inode, length, found.mtime(), found.mtime_nsec(), found.ctime_nsec()]
}

/// The bytes of all files, in order.
pub(super) fn contents(files: Vec<PathBuf>) -> Result<Vec<(PathBuf, Vec<u8>)>, SourceError> {
    let mut left = BYTES_MAX;
    let mut all = Vec::with_capacity(files.len());
    for path in files {
        let bytes = content(&path, left)?;
        left -= bytes.len() as u64;
        all.push((path, bytes));
    }
    Ok(all)
}

fn content(path: &Path, limit: u64) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(SourceError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(SourceError::TooLarge { path: path.to_owned(), limit: BYTES_MAX });
    }
    Ok(bytes)
}
