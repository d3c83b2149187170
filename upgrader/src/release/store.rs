use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{Digest, PROGRAMS, Release, ReleaseError, Stamps, error::failed};

const RETRY: Duration = Duration::from_millis(5);
/// How the directory of an unfinished release begins.
pub const STAGING: &str = ".staging-";
/// What describes a release.
pub const DESCRIPTION: &str = "release.json";

/// The releases on disk.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
}

/// The right to stage and to remove; the kernel takes it back from a process that ends.
#[derive(Debug)]
pub struct StoreLock(#[expect(dead_code, reason = "it is held, not used")] File);

impl Store {
    /// That of a state directory.
    pub fn of(state_dir: &Path) -> Self {
        Self { dir: state_dir.join("releases") }
    }

    /// Its directory, which need not exist.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes its directory. The state directory must exist.
    pub fn make(&self) -> Result<(), ReleaseError> {
        match DirBuilder::new().mode(0o700).create(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(failed("make", &self.dir)(error))
            }
            _ => Ok(()),
        }
    }

    /// Keeps others from staging and removing. Waits so long for somebody who does.
    pub fn lock(&self, patience: Duration) -> Result<StoreLock, ReleaseError> {
        let (path, until) = (self.dir.join("lock"), Instant::now() + patience);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(failed("open", &path))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(StoreLock(file)),
                Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(ReleaseError::Busy { path: self.dir.clone(), waited: patience });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(RETRY),
            }
        }
    }

    /// Where that release is, if it is staged.
    pub fn place(&self, release: &Digest) -> PathBuf {
        self.dir.join(release.short())
    }

    /// What is said of a staged release. Its files are not looked at.
    pub fn described(&self, release: &Digest) -> Result<Release, ReleaseError> {
        let (dir, name) = (self.place(release), release.short());
        let path = dir.join(DESCRIPTION);
        let wrong =
            |what: String| ReleaseError::Description { path: path.clone(), release: name.clone(), what };
        let content = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.exists() => {
                return Err(ReleaseError::NotStaged { release: name, path: dir });
            }
            content => content.map_err(|error| wrong(error.to_string()))?,
        };
        let said: Release = serde_json::from_slice(&content).map_err(|error| wrong(error.to_string()))?;
        match said.digest == *release && said.is_whole() {
            true => Ok(said),
            false => Err(wrong("its digests contradict each other".into())),
        }
    }

    /// Looks at every file of a staged release. Those that have not changed since they were read are not read again.
    pub fn verify(&self, release: &Digest, stamps: &mut Stamps) -> Result<Release, ReleaseError> {
        let said = self.described(release)?;
        for name in PROGRAMS {
            let path = self.place(release).join(name);
            let found = stamps.digest(&path).map_err(failed("read", &path))?;
            let expected = said.programs.get(name).map_or(found, |program| program.digest);
            if found != expected {
                let remedy = "stage the release again with `evermesh upgrade --to`";
                return Err(ReleaseError::Differs { path, expected, found, remedy });
            }
        }
        Ok(said)
    }

    /// All that are staged and described, the newest first.
    pub fn staged(&self) -> Vec<Release> {
        let names = self.entries().into_iter().filter(|path| path.is_dir());
        let read = |path: PathBuf| {
            let said: Release = serde_json::from_slice(&fs::read(path.join(DESCRIPTION)).ok()?).ok()?;
            self.described(&said.digest).ok().filter(|it| self.place(&it.digest) == path)
        };
        let mut all: Vec<_> = names.filter_map(read).collect();
        all.sort_by_key(|release| std::cmp::Reverse((release.staged_unix_ms, release.digest)));
        all
    }

    /// Removes what is left of interrupted stagings, and every release but these.
    pub fn sweep(&self, _held: &StoreLock, keep: &[Digest]) -> Result<(), ReleaseError> {
        let kept: Vec<_> = keep.iter().map(|release| self.place(release)).collect();
        let stray = |path: &PathBuf| path.is_dir() && !kept.contains(path);
        self.entries().into_iter().filter(stray).try_for_each(|path| Self::remove(&path))
    }

    /// What describes it goes first: what is left of an interrupted removal is no release.
    pub(super) fn remove(path: &Path) -> Result<(), ReleaseError> {
        let removed =
            gone(fs::remove_file(path.join(DESCRIPTION))).and_then(|()| gone(fs::remove_dir_all(path)));
        removed.map_err(failed("remove", path))
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten();
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
