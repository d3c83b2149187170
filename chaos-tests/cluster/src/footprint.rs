use std::{
    collections::BTreeSet,
    fmt, fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
};

use evermesh_chaos_tests::sandbox::mounts;

use crate::{ClusterName, Error, Result, cgroups::Cgroups, layout::Layout};

/// What of a cluster is on the machine right now. Its links are in its namespaces, and those among the mounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Its directory, if it exists.
    pub directory: Option<PathBuf>,
    /// Mount points at and below the directory.
    pub mounts: Vec<PathBuf>,
    /// Its cgroups in all hierarchies, deepest first.
    pub cgroups: Vec<PathBuf>,
    /// Processes in its cgroups and in its namespaces.
    pub processes: BTreeSet<i32>,
}

impl Footprint {
    /// Looks.
    pub fn of(name: &ClusterName) -> Result<Self> {
        let layout = Layout::of(name);
        let cgroups = Cgroups::of(name)?;
        let dir = layout.dir().to_path_buf();
        Ok(Self {
            mounts: mounts::below(&dir)?,
            directory: dir.exists().then_some(dir),
            processes: processes_in_namespaces(&layout)?.into_iter().chain(cgroups.processes()).collect(),
            cgroups: cgroups.all(),
        })
    }

    /// Whether the cluster has left no trace.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is nothing but its directory and the lock in it.
    pub(crate) fn is_bare(&self) -> bool {
        let files = self.directory.iter().flat_map(fs::read_dir).flatten().count();
        files <= 1 && self.has_only_files()
    }

    /// Whether nothing is there that could act or that others could see.
    pub(crate) fn has_only_files(&self) -> bool {
        let Self { directory: _, mounts, cgroups, processes } = self;
        mounts.is_empty() && cgroups.is_empty() && processes.is_empty()
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { directory, mounts, cgroups, processes } = self;
        write!(f, "directory {directory:?}, mounts {mounts:?}, cgroups {cgroups:?}, processes {processes:?}")
    }
}

/// Processes whose network or mount namespace is one that is mounted in the cluster's directory.
pub(crate) fn processes_in_namespaces(layout: &Layout) -> Result<Vec<i32>> {
    let owned: BTreeSet<(u64, u64)> = layout.namespaces().iter().filter_map(|path| identity(path)).collect();
    if owned.is_empty() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir("/proc").map_err(Error::path("list", "/proc"))?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let others = pids.filter(|pid| u32::try_from(*pid) != Ok(process::id()));
    Ok(others.filter(|pid| is_in(*pid, &owned)).collect())
}

fn is_in(pid: i32, owned: &BTreeSet<(u64, u64)>) -> bool {
    let namespaces = ["net", "mnt"].map(|kind| PathBuf::from(format!("/proc/{pid}/ns/{kind}")));
    namespaces.iter().filter_map(|path| identity(path)).any(|id| owned.contains(&id))
}

/// What tells one namespace from all others.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
