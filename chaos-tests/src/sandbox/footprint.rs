use std::{fmt, path::PathBuf};

use super::{Cgroup, SandboxName, mounts};
use crate::Result;

/// What of a sandbox is on the machine right now. Its namespaces are among the mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Its directory, if it exists.
    pub directory: Option<PathBuf>,
    /// Mount points below the directory: bpffs, network namespaces, and a state directory's own disk.
    pub mounts: Vec<PathBuf>,
    /// Its cgroups, deepest first.
    pub cgroups: Vec<PathBuf>,
    /// Processes in them.
    pub processes: Vec<i32>,
}

impl Footprint {
    /// Looks.
    pub fn of(name: &SandboxName) -> Result<Self> {
        let dir = name.directory();
        let cgroups = Cgroup::root()?.child(&name.to_string()).tree();
        Ok(Self {
            mounts: mounts::below(&dir)?,
            directory: dir.exists().then_some(dir),
            processes: cgroups.iter().flat_map(Cgroup::processes).collect(),
            cgroups: cgroups.iter().map(|c| c.path().to_path_buf()).collect(),
        })
    }

    /// Whether the sandbox has left no trace.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, mounts, cgroups, processes } = self;
        write!(f, "directory {directory:?}, mounts {mounts:?}, cgroups {cgroups:?}, processes {processes:?}")
    }
}
