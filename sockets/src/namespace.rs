use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use evermesh_pins::sys::{self, NamespaceCookie};
use procfs::process::{Process, all_processes};

use crate::SocketsError;

/// Does `work` in each network namespace among `wanted` that a process is in or that is mounted somewhere, as `ip netns`
/// and container runtimes do; on threads of their own. An error does not keep the others from being visited.
pub fn visit<T: Send>(
    wanted: &BTreeSet<NamespaceCookie>,
    work: impl Fn(NamespaceCookie, &Path) -> T + Sync,
) -> Result<Vec<Result<T, SocketsError>>, SocketsError> {
    let (mut left, mut visited) = (wanted.clone(), Vec::new());
    for path in places().map_err(SocketsError::Namespaces)?.into_values() {
        if left.is_empty() {
            break;
        }
        visited.extend(visit_one(&path, &mut left, &work));
    }
    Ok(visited)
}

/// `None`: it is none of those that are left.
fn visit_one<T: Send>(
    path: &Path,
    left: &mut BTreeSet<NamespaceCookie>,
    work: &(impl Fn(NamespaceCookie, &Path) -> T + Sync),
) -> Option<Result<T, SocketsError>> {
    let visited = sys::inside(path, || {
        let here = NamespaceCookie::here()?;
        Ok(left.remove(&here).then(|| work(here, path)))
    });
    match visited {
        Ok(worked) => worked.map(Ok),
        // Its last process has ended, or it was unmounted.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => Some(Err(SocketsError::Enter { path: path.to_owned(), source })),
    }
}

/// Where each network namespace can be entered, by inode number. A process that this one may not look at is passed over.
fn places() -> io::Result<BTreeMap<u64, PathBuf>> {
    let processes = all_processes().map_err(io::Error::other)?;
    let of_processes = processes.flatten().filter_map(|process| {
        let path = PathBuf::from(format!("/proc/{}/ns/net", process.pid));
        Some((fs::metadata(&path).ok()?.ino(), path))
    });
    Ok(of_processes.chain(mounted()?).collect())
}

fn mounted() -> io::Result<Vec<(u64, PathBuf)>> {
    let mounts = Process::myself().and_then(|own| own.mountinfo()).map_err(io::Error::other)?;
    let of_mounts = mounts.into_iter().filter(|mount| mount.fs_type == "nsfs");
    Ok(of_mounts.filter_map(|mount| Some((net_inode(&mount.root)?, mount.mount_point))).collect())
}

/// As in `net:[4026531840]`.
fn net_inode(root: &str) -> Option<u64> {
    root.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_network_namespaces_are_taken() {
        assert_eq!(net_inode("net:[4026531840]"), Some(4_026_531_840));
        assert_eq!(net_inode("mnt:[4026531840]"), None);
        assert_eq!(net_inode("/"), None);
    }

    #[test]
    fn ones_own_namespace_is_found() {
        let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert!(places().unwrap().contains_key(&own));
    }
}
