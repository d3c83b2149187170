use std::{
    fs, io,
    path::{Path, PathBuf},
};

use evermesh_chaos_tests::sandbox::{Cgroup, mounts};

use crate::{ClusterName, Error, Result};

/// The cgroups of a cluster: one tree in each hierarchy that is mounted, of version 2 and, where it is there, of version 1.
/// Every process of the cluster lives in the one of version 2.
#[derive(Clone, Debug)]
pub(crate) struct Cgroups {
    whole: Cgroup,
    version_1: Vec<PathBuf>,
}

impl Cgroups {
    /// Looks where the hierarchies are mounted; makes nothing.
    pub fn of(name: &ClusterName) -> Result<Self> {
        let version_1 = mounts::list()?.into_iter().filter(|mount| mount.filesystem == "cgroup");
        Ok(Self {
            whole: Cgroup::root()?.child(&name.cgroup()),
            version_1: version_1.map(|mount| mount.point.join(name.cgroup())).collect(),
        })
    }

    /// The cluster's own: above all of its processes.
    pub fn whole(&self) -> &Cgroup {
        &self.whole
    }

    pub fn control_plane(&self) -> Cgroup {
        self.whole.child("control-plane")
    }

    /// For what is run inside the cluster by hand or by a test.
    pub fn commands(&self) -> Cgroup {
        self.whole.child("commands")
    }

    pub fn node(&self, number: usize) -> Cgroup {
        self.whole.child(&format!("node{number}"))
    }

    /// Makes the cluster's own.
    pub fn create(&self) -> Result<()> {
        // A kubelet wants all controllers from the one version or from the other.
        if self.version_1.is_empty() {
            hand_down_controllers(&Cgroup::root()?)?;
        }
        self.whole.create()?;
        hand_down_controllers(&self.whole)?;
        self.version_1.iter().try_for_each(|dir| create_version_1(dir))?;
        Ok([self.control_plane(), self.commands()].iter().try_for_each(Cgroup::create)?)
    }

    /// Makes a node's, in all hierarchies, as its kubelet expects to find it.
    pub fn create_node(&self, number: usize) -> Result<()> {
        let node = self.node(number);
        node.create()?;
        hand_down_controllers(&node)?;
        [node.child("containerd"), node.child("kubelet")].iter().try_for_each(Cgroup::create)?;
        self.version_1.iter().try_for_each(|dir| create_version_1(&dir.join(format!("node{number}"))))
    }

    /// All that exist, in every hierarchy, deepest first.
    pub fn all(&self) -> Vec<PathBuf> {
        let version_2 = self.whole.tree().into_iter().map(|cgroup| cgroup.path().to_path_buf());
        version_2.chain(self.version_1.iter().flat_map(|dir| tree(dir))).collect()
    }

    /// Processes in any of them.
    pub fn processes(&self) -> Vec<i32> {
        self.all().iter().flat_map(|dir| processes(dir)).collect()
    }

    /// Removes them as far as they have no processes any more; whether all are gone.
    pub fn remove_empty(&self) -> bool {
        self.all().iter().all(|dir| fs::remove_dir(dir).is_ok())
    }
}

/// Lets what is below use every controller that this cgroup was given.
fn hand_down_controllers(cgroup: &Cgroup) -> Result<()> {
    let given = cgroup.path().join("cgroup.controllers");
    let given = fs::read_to_string(&given).map_err(Error::path("read", given))?;
    let enabled: Vec<String> = given.split_whitespace().map(|name| format!("+{name}")).collect();
    let control = cgroup.path().join("cgroup.subtree_control");
    fs::write(&control, enabled.join(" ")).map_err(Error::path("write", control))
}

/// A cgroup of the cpuset controller takes no process before it was told of processors and memory.
fn create_version_1(dir: &Path) -> Result<()> {
    fs::create_dir(dir).map_err(Error::path("create cgroup", dir))?;
    let above = dir.parent().unwrap_or(dir);
    for file in ["cpuset.cpus", "cpuset.mems"] {
        match fs::read(above.join(file)) {
            Ok(value) => fs::write(dir.join(file), value).map_err(Error::path("write", dir.join(file)))?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(Error::path("read", above.join(file))(e)),
        }
    }
    Ok(())
}

fn tree(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let below = dirs.flat_map(|entry| tree(&entry.path()));
    below.chain(dir.is_dir().then(|| dir.to_path_buf())).collect()
}

fn processes(dir: &Path) -> Vec<i32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}
