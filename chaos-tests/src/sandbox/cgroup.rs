use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use super::mounts;
use crate::{Error, Result, wait};

const PATIENCE: Duration = Duration::from_secs(10);

/// One cgroup of the v2 hierarchy.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl Cgroup {
    /// The root of the v2 hierarchy, wherever it is mounted.
    pub fn root() -> Result<Self> {
        let mounts = mounts::list()?;
        let found = mounts.into_iter().find(|m| m.filesystem == "cgroup2").ok_or(Error::NoCgroup2)?;
        Ok(Self { path: found.point })
    }

    /// One below this one; it need not exist.
    pub fn child(&self, name: &str) -> Self {
        Self { path: self.path.join(name) }
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it.
    pub fn create(&self) -> Result<()> {
        fs::create_dir(&self.path).map_err(Error::path("create cgroup", &self.path))
    }

    /// For a process that moves itself in by writing `0`.
    pub fn open_procs(&self) -> Result<File> {
        let path = self.path.join("cgroup.procs");
        File::options().write(true).open(&path).map_err(Error::path("open", path))
    }

    /// Itself and all below it, deepest first; nothing if it does not exist.
    pub fn tree(&self) -> Vec<Self> {
        let mut all: Vec<Self> = self.children().iter().flat_map(Self::tree).collect();
        if self.path.is_dir() {
            all.push(self.clone());
        }
        all
    }

    fn children(&self) -> Vec<Self> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let dirs = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        dirs.map(|e| Self { path: e.path() }).collect()
    }

    /// Processes that live in it, not below it.
    pub fn processes(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Ends every process in and below it, then removes it with all below. It may be gone already.
    pub(crate) fn kill_and_remove(&self) -> Result<()> {
        self.kill()?;
        let what = format!("cgroup {} to be removed", self.path.display());
        wait::until(&what, PATIENCE, || self.tree().iter().all(Self::remove_one).then_some(()))
    }

    /// Ends every process in and below it. It may be gone already.
    pub fn kill(&self) -> Result<()> {
        let path = self.path.join("cgroup.kill");
        match File::options().write(true).open(&path).and_then(|mut file| file.write_all(b"1")) {
            Err(_) if !self.path.exists() => Ok(()),
            written => written.map_err(Error::path("write", path)),
        }
    }

    fn remove_one(&self) -> bool {
        fs::remove_dir(&self.path).is_ok() || !self.path.exists()
    }
}
