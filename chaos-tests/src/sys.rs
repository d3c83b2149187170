//! The calls that need `unsafe`: what a child does between fork and exec, and asking about eBPF objects.
#![expect(unsafe_code, reason = "pre_exec and bpf(2) have no safe form")]

use std::{
    ffi::CString,
    fs::File,
    io,
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::{ffi::OsStrExt, process::CommandExt},
    },
    path::Path,
    process::Command,
};

use nix::{
    sched::{CloneFlags, setns},
    sys::{prctl::set_pdeathsig, signal::Signal},
    unistd::{Pid, getpid, getppid, write},
};

/// Where a child is put before it runs: all through descriptors, because after fork nothing may be allocated.
pub(crate) struct Placement {
    /// Its network namespace; `None`: the caller's.
    pub netns: Option<OwnedFd>,
    /// `cgroup.procs` of its cgroup, open for writing.
    pub cgroup_procs: File,
}

/// Lets the child of `command` start inside `placement` and die with the thread that spawns it.
pub(crate) fn place(command: &mut Command, placement: Placement) {
    let parent = getpid();
    let enter = move || placement.enter(parent);
    // SAFETY: `enter` makes only async-signal-safe system calls and allocates nothing.
    unsafe { command.pre_exec(enter) };
}

impl Placement {
    fn enter(&self, parent: Pid) -> io::Result<()> {
        set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        write(&self.cgroup_procs, b"0")?;
        match &self.netns {
            Some(netns) => Ok(setns(netns, CloneFlags::CLONE_NEWNET)?),
            None => Ok(()),
        }
    }
}

/// `bpf_attr` of `BPF_OBJ_GET`, as far as it is needed.
#[repr(C)]
struct ObjectGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

const BPF_OBJ_GET: libc::c_int = 7;

/// Opens a pin, whatever kind of object it is.
pub(crate) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attr = ObjectGet { pathname: name.as_ptr().expose_provenance() as u64, bpf_fd: 0, file_flags: 0 };
    // SAFETY: `attr` is what BPF_OBJ_GET takes, and the name it points to outlives the call.
    let fd = unsafe { bpf(BPF_OBJ_GET, &mut attr) }?;
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `bpf_attr` of `BPF_*_GET_NEXT_ID`.
#[repr(C)]
struct NextId {
    start_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// A kind of eBPF object; the number is the command that enumerates its ids.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ObjectKind {
    Program = 11,
    Map = 12,
    Link = 31,
}

/// The smallest id of that kind above `start_id`; `None` after the last.
pub(crate) fn next_id(kind: ObjectKind, start_id: u32) -> io::Result<Option<u32>> {
    let mut attr = NextId { start_id, next_id: 0, open_flags: 0 };
    // SAFETY: `attr` is what the BPF_*_GET_NEXT_ID commands take.
    match unsafe { bpf(kind as libc::c_int, &mut attr) } {
        Ok(_) => Ok(Some(attr.next_id)),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// # Safety
/// `attr` must be the beginning of a `bpf_attr` as `command` expects it, every pointer in it valid.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: the size is that of `attr`; the rest is the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attr, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(result).map_err(io::Error::other)
}
