//! The cgroup that is hooked, as far as the pins tell.

use std::{
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use evermesh_pins::{
    Inventory, Pod,
    host::{self, Cgroup},
    probe::{self, PodOutside},
};

use crate::Failure;

/// The cgroup that was named, or the one that most hooks are attached to.
pub fn cgroup(inventory: &Inventory, named: Option<&Path>) -> Result<Cgroup, Failure> {
    if named.is_some() {
        return Ok(host::cgroup(named)?);
    }
    let ids: Vec<u64> =
        inventory.links.values().map(|link| link.info.cgroup_id).filter(|&id| id != 0).collect();
    let most = ids.iter().copied().max_by_key(|id| ids.iter().filter(|other| *other == id).count());
    match (most, host::cgroup2_mount()?) {
        (Some(id), Some(mount)) => Ok(Cgroup { path: directory_of(id, &mount).unwrap_or_default(), id }),
        (Some(id), None) => Ok(Cgroup { path: PathBuf::new(), id }),
        (None, _) => Ok(host::cgroup(None)?),
    }
}

/// A cgroup's id is the inode number of its directory.
fn directory_of(id: u64, directory: &Path) -> Option<PathBuf> {
    if directory.metadata().ok()?.ino() == id {
        return Some(directory.to_owned());
    }
    let children = directory.read_dir().ok()?.flatten();
    let mut directories = children.filter(|child| child.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.find_map(|child| directory_of(id, &child.path()))
}

/// The enrolled pods with processes outside of the cgroup with that directory. `None`: this process does not see the
/// hierarchy that it would have to know.
pub fn pods_outside(directory: &Path, pods: &[Pod]) -> Result<Option<Vec<PodOutside>>, Failure> {
    let directory = directory.canonicalize().map_err(failed("find", directory))?;
    let Some(hooked) = host::cgroup_in_hierarchy(&directory)? else { return Ok(None) };
    probe::outside(pods, &hooked).map(Some).map_err(failed("list the processes in", Path::new("/proc")))
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::Directory { step, path: path.to_owned(), source }
}
