use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use super::{Cgroup, SandboxName, mounts};
use crate::Result;

/// Where programs of Evermesh could leave something when they are not told otherwise.
const PLACES: [&str; 5] = ["/run", "/run/netns", "/sys/fs/bpf", "/var/lib", "/var/tmp"];

/// All that bears Evermesh's name on this machine and belongs to no sandbox: what a test may not add to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    paths: BTreeSet<PathBuf>,
}

impl Inventory {
    /// Looks at mounts, cgroups and the usual directories.
    pub fn now() -> Result<Self> {
        let mounts = mounts::list()?.into_iter().map(|m| m.point);
        let cgroups = Cgroup::root()?.tree().into_iter().map(|c| c.path().to_path_buf());
        let places = PLACES.into_iter().map(PathBuf::from).chain([env::temp_dir()]);
        let all = mounts.chain(cgroups).chain(places.flat_map(|place| entries(&place)));
        Ok(Self { paths: all.filter(|path| is_evermesh(path) && !in_sandbox(path)).collect() })
    }

    /// What has appeared since `before`.
    pub fn added_since(&self, before: &Self) -> Vec<PathBuf> {
        self.paths.difference(&before.paths).cloned().collect()
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn is_evermesh(path: &Path) -> bool {
    names(path).any(|name| name.starts_with("evermesh"))
}

fn in_sandbox(path: &Path) -> bool {
    names(path).any(|name| name.parse::<SandboxName>().is_ok())
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.iter().filter_map(|name| name.to_str())
}
