use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{ClusterName, Error, Result};

/// Directories of all clusters.
pub(crate) const ROOT: &str = "/run/evermesh-cluster";

/// Where the parts of a cluster stand. Pure names: nothing of it need exist.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    name: ClusterName,
    dir: PathBuf,
}

impl Layout {
    pub fn of(name: &ClusterName) -> Self {
        Self { name: name.clone(), dir: Path::new(ROOT).join(name.to_string()) }
    }

    pub fn name(&self) -> &ClusterName {
        &self.name
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Held by whoever works on the cluster or owns it.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// There when the cluster is up and belongs to nobody who must live.
    pub fn kept(&self) -> PathBuf {
        self.dir.join("kept")
    }

    /// Output of every component.
    pub fn log_dir(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Images as they are imported.
    pub fn image_dir(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// What the components of the control plane need.
    pub fn control_plane(&self) -> PathBuf {
        self.dir.join("control-plane")
    }

    pub fn control_plane_netns(&self) -> PathBuf {
        self.control_plane().join("netns")
    }

    /// What `kubectl` is somebody by.
    pub fn admin(&self) -> PathBuf {
        self.control_plane().join("admin")
    }

    pub fn node(&self, number: usize) -> PathBuf {
        self.dir.join(format!("node{number}"))
    }

    pub fn node_netns(&self, number: usize) -> PathBuf {
        self.node(number).join("netns")
    }

    pub fn node_mount_namespace(&self, number: usize) -> PathBuf {
        self.node(number).join("mntns")
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        (1..).take_while(|&number| self.node(number).is_dir()).count()
    }

    /// Files that may have a namespace of the cluster mounted on them.
    pub fn namespaces(&self) -> Vec<PathBuf> {
        let of_node = |number| [self.node_netns(number), self.node_mount_namespace(number)];
        (1..=self.nodes()).flat_map(of_node).chain([self.control_plane_netns()]).collect()
    }
}

/// Every name that a directory of a cluster exists for.
pub(crate) fn all_names() -> Result<Vec<ClusterName>> {
    match fs::read_dir(ROOT) {
        Ok(entries) => Ok(entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Error::path("list", ROOT)(e)),
    }
}
