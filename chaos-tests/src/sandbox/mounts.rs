//! What is mounted, where this process sees it.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
};

use crate::{Error, Result};

/// One line of `/proc/self/mountinfo`.
#[derive(Debug)]
pub struct Mount {
    /// Where.
    pub point: PathBuf,
    /// Type of the file system, such as `cgroup2`.
    pub filesystem: String,
}

/// All mounts this process sees, in the order they were made.
pub fn list() -> Result<Vec<Mount>> {
    let path = "/proc/self/mountinfo";
    let text = fs::read_to_string(path).map_err(Error::path("read", path))?;
    Ok(text.lines().filter_map(parse).collect())
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [FIELDS...] - TYPE SOURCE SUPER`
fn parse(line: &str) -> Option<Mount> {
    let (head, tail) = line.split_once(" - ")?;
    let point = unescape(head.split(' ').nth(4)?);
    Some(Mount { point, filesystem: tail.split(' ').next()?.to_owned() })
}

/// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
fn unescape(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let octal = tail.get(..3).filter(|_| first == b'\\').and_then(|t| std::str::from_utf8(t).ok());
        let escaped = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = if escaped.is_some() { &tail[3..] } else { tail };
    }
    OsString::from_vec(bytes).into()
}

/// Mount points at or below `dir`, the latest first.
pub fn below(dir: &Path) -> Result<Vec<PathBuf>> {
    let points = list()?.into_iter().rev().map(|m| m.point);
    Ok(points.filter(|point| point.starts_with(dir)).collect())
}

/// Makes `dir` and mounts a bpffs there: each mount is an instance of its own.
pub(crate) fn mount_bpffs(dir: &Path) -> Result<()> {
    fs::create_dir(dir).map_err(Error::path("create", dir))?;
    mount(Some("bpf"), dir, Some("bpf"), MsFlags::empty(), None::<&str>)
        .map_err(Error::kernel("mount bpffs at", dir))
}

/// Mounts a file system of so many bytes there, that stands in memory.
pub(crate) fn mount_tmpfs(dir: &Path, bytes: u64) -> Result<()> {
    let size = format!("size={bytes}");
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
        .map_err(Error::kernel("mount tmpfs at", dir))
}

/// Takes away every mount at or below `dir`.
pub fn unmount_below(dir: &Path) -> Result<()> {
    for point in below(dir)? {
        match umount2(&point, MntFlags::MNT_DETACH) {
            // Another sweeper was faster.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => {}
            Err(source) => return Err(Error::kernel("unmount", point)(source)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_point_and_type() {
        let line = r"38 31 0:31 / /sys/fs/cg\040roup rw,relatime shared:9 - cgroup2 cgroup2 rw";
        let mount = parse(line).unwrap();
        assert_eq!(mount.point, Path::new("/sys/fs/cg roup"));
        assert_eq!(mount.filesystem, "cgroup2");
    }

    #[test]
    fn a_backslash_alone_stays() {
        assert_eq!(unescape(r"a\b"), Path::new(r"a\b"));
    }

    #[test]
    fn proc_is_mounted() {
        assert!(list().unwrap().iter().any(|m| m.filesystem == "proc"));
    }
}
