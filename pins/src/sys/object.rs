use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use aya_obj::generated::bpf_cmd;

use super::{attributes, bpf, bpf_fd, raw};

/// What a pin turned out to be.
#[derive(Debug)]
pub enum Object {
    /// A map.
    Map(OwnedFd),
    /// A program.
    Program(OwnedFd),
    /// A link.
    Link(OwnedFd),
}

impl Object {
    /// `map`, `program` or `link`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Map(_) => "map",
            Self::Program(_) => "program",
            Self::Link(_) => "link",
        }
    }
}

/// Opens a pin. The kind is read from `/proc/self/fd`, since the system call does not tell it.
pub fn object_get(path: &Path) -> io::Result<Object> {
    let name = c_path(path)?;
    let mut attr = attributes();
    attr.__bindgen_anon_4.pathname = name.as_ptr() as u64;
    // SAFETY: `name` is a terminated string that lives through the call.
    let fd = unsafe { bpf_fd(bpf_cmd::BPF_OBJ_GET, &mut attr)? };
    let what = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()))?;
    match what.to_str() {
        Some("anon_inode:bpf-map") => Ok(Object::Map(fd)),
        Some("anon_inode:bpf-prog") => Ok(Object::Program(fd)),
        // Older kernels (6.1, 6.12) spell it with an underscore, 6.18 does not.
        Some("anon_inode:bpf-link" | "anon_inode:bpf_link") => Ok(Object::Link(fd)),
        _ => Err(io::Error::other(format!("neither map, program nor link: {}", what.display()))),
    }
}

/// Pins an object. `EEXIST` if the path is taken, `EPERM` if it does not lie in a bpffs.
pub fn object_pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = c_path(path)?;
    let mut attr = attributes();
    attr.__bindgen_anon_4.pathname = name.as_ptr() as u64;
    attr.__bindgen_anon_4.bpf_fd = raw(fd);
    // SAFETY: `name` is a terminated string that lives through the call.
    unsafe { bpf(bpf_cmd::BPF_OBJ_PIN, &mut attr) }.map(drop)
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}
