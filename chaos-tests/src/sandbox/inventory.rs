use std::{collections::BTreeSet, path::PathBuf};

use super::{Cgroup, SandboxName, mounts};
use crate::Result;

/// Mounts and cgroups of the machine that belong to no sandbox: what nothing under test may add to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    paths: BTreeSet<PathBuf>,
}

impl Inventory {
    /// Looks.
    pub fn now() -> Result<Self> {
        let mounts = mounts::list()?.into_iter().map(|m| m.point);
        let cgroups = Cgroup::root()?.tree().into_iter().map(|c| c.path().to_path_buf());
        Ok(Self { paths: mounts.chain(cgroups).filter(|path| !in_sandbox(path)).collect() })
    }

    /// What has appeared since `before`.
    pub fn added_since(&self, before: &Self) -> Vec<PathBuf> {
        self.paths.difference(&before.paths).cloned().collect()
    }
}

fn in_sandbox(path: &std::path::Path) -> bool {
    path.iter().any(|part| part.to_str().is_some_and(|name| name.parse::<SandboxName>().is_ok()))
}
