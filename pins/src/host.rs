//! What the host must offer before anything is touched: privilege, kernel, bpffs, cgroup v2.

use std::{
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::sys::statfs::{BPF_FS_MAGIC, CGROUP2_SUPER_MAGIC, FsType, statfs};
use procfs::process::{MountInfo, Process};

/// The oldest kernel on which the programs load.
pub const KERNEL_FLOOR: (u32, u32) = (6, 1);

/// Why this host, as it stands, cannot run Evermesh.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Not root.
    #[error(
        "Evermesh must run as root (effective user id is {uid}): it loads eBPF programs; run it with sudo"
    )]
    NotRoot {
        /// Who runs it.
        uid: u32,
    },
    /// The kernel is too old.
    #[error(
        "kernel {release} is too old: {}.{} or later is needed (bpf_set_retval, BPF_F_MMAPABLE arrays, bpf_loop)",
        KERNEL_FLOOR.0,
        KERNEL_FLOOR.1
    )]
    OldKernel {
        /// `uname -r`.
        release: String,
    },
    /// The pin directory does not lie in a bpffs.
    #[error("{} is not in a bpffs: mount one with `mount -t bpf bpf /sys/fs/bpf`, or name a directory in a mounted one with --bpffs", path.display())]
    NoBpffs {
        /// The pin directory.
        path: PathBuf,
    },
    /// No cgroup v2 hierarchy is mounted.
    #[error(
        "no cgroup v2 hierarchy is mounted (looked in /proc/self/mountinfo): mount one with `mount -t cgroup2 none /sys/fs/cgroup`, or name a cgroup directory with --cgroup"
    )]
    NoCgroup2,
    /// The cgroup to hook is none of version 2.
    #[error("{} is not a cgroup v2 directory: name one with --cgroup{}", path.display(), hint(mounted.as_deref()))]
    NotCgroup2 {
        /// What was named.
        path: PathBuf,
        /// Where a hierarchy is mounted.
        mounted: Option<PathBuf>,
    },
    /// Something about the host could not be read.
    #[error("cannot {step} {}: {source}", path.display())]
    Read {
        /// What was tried.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

fn hint(mounted: Option<&Path>) -> String {
    mounted.map(|at| format!(" (cgroup v2 is mounted at {})", at.display())).unwrap_or_default()
}

/// The cgroup to which programs are attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroup {
    /// Its directory.
    pub path: PathBuf,
    /// Its id, which links report: on 64-bit hosts the inode number of the directory.
    pub id: u64,
}

/// Fails unless the effective user is root.
pub fn require_root() -> Result<(), HostError> {
    let uid = nix::unistd::geteuid();
    if uid.is_root() { Ok(()) } else { Err(HostError::NotRoot { uid: uid.as_raw() }) }
}

/// `uname -r`.
pub fn kernel_release() -> Result<String, HostError> {
    let path = Path::new("/proc/sys/kernel/osrelease");
    let release = std::fs::read_to_string(path);
    Ok(release.map_err(|source| read("read the kernel's release from", path, source))?.trim().to_owned())
}

/// Whether a kernel of that release is not older than [`KERNEL_FLOOR`].
pub fn is_new_enough(release: &str) -> bool {
    kernel_version(release).is_some_and(|version| version >= KERNEL_FLOOR)
}

/// Fails on kernels older than [`KERNEL_FLOOR`].
pub fn require_kernel() -> Result<(), HostError> {
    let release = kernel_release()?;
    if is_new_enough(&release) { Ok(()) } else { Err(HostError::OldKernel { release }) }
}

fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Fails unless `root`, or the nearest of its ancestors that exists, lies in a bpffs.
pub fn require_bpffs(root: &Path) -> Result<(), HostError> {
    let existing = root.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    if filesystem(existing)? == BPF_FS_MAGIC {
        Ok(())
    } else {
        Err(HostError::NoBpffs { path: root.to_owned() })
    }
}

/// The cgroup named, or the root of the cgroup v2 hierarchy.
pub fn cgroup(named: Option<&Path>) -> Result<Cgroup, HostError> {
    let mounted = cgroup2_mount()?;
    let path = match (named, &mounted) {
        (Some(named), _) => named.to_owned(),
        (None, Some(mounted)) => mounted.clone(),
        (None, None) => return Err(HostError::NoCgroup2),
    };
    if filesystem(&path)? != CGROUP2_SUPER_MAGIC {
        return Err(HostError::NotCgroup2 { path, mounted });
    }
    let meta = path.metadata().map_err(|source| read("look at", &path, source))?;
    Ok(Cgroup { id: meta.ino(), path })
}

/// Where cgroup v2 is mounted: found in `/proc/self/mountinfo`, never assumed.
pub fn cgroup2_mount() -> Result<Option<PathBuf>, HostError> {
    Ok(mounts("cgroup2")?.into_iter().next().map(|mount| mount.mount_point))
}

/// The controllers that are mounted as cgroup version 1 beside.
pub fn cgroup1_mounts() -> Result<Vec<PathBuf>, HostError> {
    Ok(mounts("cgroup")?.into_iter().map(|mount| mount.mount_point).collect())
}

/// A cgroup's directory, as `/proc/PID/cgroup` names it: from the root of the hierarchy. `None`: it does not lie in a
/// mounted hierarchy, or this process sees only a part of that (a cgroup namespace inside a container).
pub fn cgroup_in_hierarchy(directory: &Path) -> Result<Option<PathBuf>, HostError> {
    let below = |mount: MountInfo| {
        let path = directory.strip_prefix(&mount.mount_point).ok()?;
        (!mount.root.starts_with("/..")).then(|| Path::new(&mount.root).join(path))
    };
    Ok(mounts("cgroup2")?.into_iter().find_map(below))
}

fn mounts(kind: &str) -> Result<Vec<MountInfo>, HostError> {
    let mounts = Process::myself()
        .and_then(|process| process.mountinfo())
        .map_err(|e| read("read", Path::new("/proc/self/mountinfo"), io::Error::other(e)))?;
    Ok(mounts.0.into_iter().filter(|mount| mount.fs_type == kind).collect())
}

fn filesystem(path: &Path) -> Result<FsType, HostError> {
    statfs(path)
        .map(|stat| stat.filesystem_type())
        .map_err(|errno| read("find out the file system of", path, errno.into()))
}

fn read(step: &'static str, path: &Path, source: io::Error) -> HostError {
    HostError::Read { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_compared_as_numbers() {
        assert_eq!(kernel_version("6.18.44-fc-v657"), Some((6, 18)));
        assert_eq!(kernel_version("6.1.0-28-cloud-amd64"), Some((6, 1)));
        assert!(kernel_version("5.15.0").is_some_and(|v| v < KERNEL_FLOOR));
        assert_eq!(kernel_version("unknown"), None);
    }

    #[test]
    fn a_directory_on_disk_is_no_bpffs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("not/there/yet");
        assert!(matches!(require_bpffs(&root), Err(HostError::NoBpffs { path }) if path == root));
    }

    #[test]
    fn a_directory_on_disk_is_no_cgroup() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(cgroup(Some(dir.path())), Err(HostError::NotCgroup2 { .. })));
    }
}
