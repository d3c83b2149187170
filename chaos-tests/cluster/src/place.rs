//! Where a child is put before it runs: what it does between fork and exec.
#![expect(unsafe_code, reason = "pre_exec has no safe form")]

use std::{
    fs::File,
    io,
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::Path,
    process::Command,
};

use evermesh_chaos_tests::sandbox::Cgroup;
use nix::{
    sched::{CloneFlags, setns},
    unistd::{setsid, write},
};

use crate::{Error, Result};

/// A place inside a cluster, as descriptors: after fork nothing may be allocated.
pub(crate) struct Place {
    cgroup_procs: File,
    namespaces: Vec<(OwnedFd, CloneFlags)>,
    alone: bool,
}

impl Place {
    /// In a cgroup of the cluster, else where the caller is.
    pub fn in_cgroup(cgroup: &Cgroup) -> Result<Self> {
        Ok(Self { cgroup_procs: cgroup.open_procs()?, namespaces: Vec::new(), alone: false })
    }

    /// In a network namespace besides.
    pub fn in_netns(self, pinned: &Path) -> Result<Self> {
        self.in_namespace(pinned, CloneFlags::CLONE_NEWNET)
    }

    /// In a mount namespace besides.
    pub fn in_mount_namespace(self, pinned: &Path) -> Result<Self> {
        self.in_namespace(pinned, CloneFlags::CLONE_NEWNS)
    }

    fn in_namespace(mut self, pinned: &Path, kind: CloneFlags) -> Result<Self> {
        let file = File::open(pinned).map_err(Error::path("open", pinned))?;
        self.namespaces.push((file.into(), kind));
        Ok(self)
    }

    /// In a session of its own: Ctrl-C in the terminal of whoever starts it does not concern it.
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Lets the child of `command` start here.
    pub fn take(self, command: &mut Command) {
        let enter = move || self.enter();
        // SAFETY: `enter` makes only async-signal-safe system calls and allocates nothing.
        unsafe { command.pre_exec(enter) };
    }

    /// The cgroup first: from then on the child is found there, whatever else happens.
    fn enter(&self) -> io::Result<()> {
        write(&self.cgroup_procs, b"0")?;
        if self.alone {
            setsid()?;
        }
        self.namespaces.iter().try_for_each(|(fd, kind)| Ok(setns(fd, *kind)?))
    }
}
