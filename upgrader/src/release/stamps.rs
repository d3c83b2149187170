//! Not reading large files again that have not changed since they were read.

use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use evermesh_handover::replace::replace;
use serde::{Deserialize, Serialize};

use super::Digest;

/// Times of files are told in ticks of the kernel, 10 ms at most: what was changed shortly before it was read may
/// have been changed again without a trace.
const TICKS_NS: i128 = 20_000_000;

/// The digests of files as they were when they were read, believed while nothing of the file's identity has changed:
/// whoever changes a byte changes its time of change. No more than a help: without it, files are read.
#[derive(Debug, Default)]
pub struct Stamps {
    path: PathBuf,
    known: BTreeMap<PathBuf, Known>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed_ns: i128,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Known {
    stamp: Stamp,
    digest: Digest,
}

impl Stamps {
    /// Those of a store.
    pub fn load(store: &Path) -> Self {
        let path = store.join("verified.json");
        let known = fs::read(&path).ok().and_then(|content| serde_json::from_slice(&content).ok());
        Self { path, known: known.unwrap_or_default() }
    }

    /// The digest of a file, read only if it may have changed.
    pub fn digest(&mut self, path: &Path) -> io::Result<Digest> {
        let stamp = Stamp::of(&fs::metadata(path)?);
        match self.known.get(path) {
            Some(known) if known.stamp == stamp => Ok(known.digest),
            _ => self.read(path),
        }
    }

    /// The digest of a file, read in any case.
    pub fn read(&mut self, path: &Path) -> io::Result<Digest> {
        self.known.remove(path);
        let now_ns = now_ns();
        let file = File::open(path)?;
        let before = Stamp::of(&file.metadata()?);
        let digest = Digest::copying(&file, io::sink())?;
        if before.is_settled(now_ns) && Stamp::of(&fs::metadata(path)?) == before {
            self.known.insert(path.into(), Known { stamp: before, digest });
        }
        Ok(digest)
    }

    /// Takes a file for what this process has just written into it.
    pub fn learn(&mut self, path: &Path, digest: Digest) -> io::Result<()> {
        let stamp = Stamp::of(&fs::metadata(path)?);
        if stamp.is_settled(now_ns()) {
            self.known.insert(path.into(), Known { stamp, digest });
        }
        Ok(())
    }

    /// Keeps them for later processes, but for files that are gone.
    pub fn save(&mut self) {
        self.known.retain(|path, _| path.exists());
        let written = serde_json::to_vec(&self.known).map_err(io::Error::from);
        // Without it the files are read once more.
        let _lost = written.and_then(|content| replace(&self.path, &content));
    }
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        let changed_ns = i128::from(file.ctime()) * 1_000_000_000 + i128::from(file.ctime_nsec());
        Self { device: file.dev(), inode: file.ino(), size: file.size(), changed_ns }
    }

    /// Whoever changes the file from now on changes its stamp.
    fn is_settled(&self, now_ns: i128) -> bool {
        now_ns - self.changed_ns > TICKS_NS
    }
}

fn now_ns() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i128::try_from(now.as_nanos()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::{thread::sleep, time::Duration};

    use super::*;

    #[test]
    fn a_file_that_was_changed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        for content in ["one", "two"] {
            fs::write(&path, content).unwrap();
            let mut stamps = Stamps::load(dir.path());
            assert_eq!(stamps.digest(&path).unwrap(), Digest::of(content));
            stamps.save();
        }
    }

    #[test]
    fn a_file_that_was_not_is_believed_to_be_what_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        fs::write(&path, "content").unwrap();
        let changed = fs::metadata(&path).unwrap().modified().unwrap();
        while changed.elapsed().unwrap() < Duration::from_millis(50) {
            sleep(Duration::from_millis(5));
        }
        let mut stamps = Stamps::load(dir.path());
        stamps.digest(&path).unwrap();
        stamps.known.get_mut(&path).unwrap().digest = Digest::of("remembered");
        stamps.save();
        assert_eq!(Stamps::load(dir.path()).digest(&path).unwrap(), Digest::of("remembered"));
        assert_eq!(Stamps::load(dir.path()).read(&path).unwrap(), Digest::of("content"));
    }
}
