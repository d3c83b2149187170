//! What the steps do that traffic notices.

use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use evermesh_pins::{
    Hook, PinDir,
    host::Cgroup,
    sys::{self, Object},
};

use super::Programs;

/// Why a link was not made or switched.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// A program could not be opened.
    #[error("cannot open the program {}: {source}", path.display())]
    Program {
        /// The pin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The cgroup could not be opened.
    #[error("cannot open the cgroup {}: {source}", path.display())]
    Cgroup {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program could not be attached.
    #[error("cannot attach {hook} to {}: {source}", cgroup.display())]
    Attach {
        /// Which hook.
        hook: Hook,
        /// Where.
        cgroup: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The compare-and-swap failed: `EPERM` means that somebody else switched the link.
    #[error("cannot switch the link {}: {source}", path.display())]
    Switch {
        /// The pin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A pin or `live` could not be made.
    #[error("cannot make {}: {source}", path.display())]
    Pin {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Attaches a generation's program and pins the link, in place of one that hooks nothing, if there is one. A removal that was
/// interrupted may have taken their directory.
pub fn attach(pins: &PinDir, cgroup: &Cgroup, hook: Hook, generation: u32) -> Result<(), SwitchError> {
    let path = cgroup.path.clone();
    let directory = File::open(&path).map_err(|source| SwitchError::Cgroup { path, source })?;
    let program = program(pins, hook, Programs::Of(generation))?;
    let attach = |source| SwitchError::Attach { hook, cgroup: cgroup.path.clone(), source };
    let link = sys::link_create(program.as_fd(), directory.as_fd(), hook.attach_type()).map_err(attach)?;
    let path = pins.link(hook);
    let failed = |source| SwitchError::Pin { path: path.clone(), source };
    fs::create_dir_all(pins.links()).map_err(failed)?;
    if stands(&path) {
        fs::remove_file(&path).map_err(failed)?;
    }
    sys::object_pin(link.as_fd(), &path).map_err(failed)
}

/// Leads a link from one program to another, by compare-and-swap.
pub fn switch(pins: &PinDir, hook: Hook, from: Programs, to: Programs) -> Result<(), SwitchError> {
    let path = pins.link(hook);
    let link = open(&path).map_err(|source| SwitchError::Switch { path: path.clone(), source })?;
    let (old, new) = (program(pins, hook, from)?, program(pins, hook, to)?);
    sys::link_update(link.as_fd(), new.as_fd(), old.as_fd())
        .map_err(|source| SwitchError::Switch { path, source })
}

/// Makes `live` name the generation, in one step.
pub fn make_live(pins: &PinDir, generation: u32) -> Result<(), SwitchError> {
    let (aside, live) = (pins.live_aside(), pins.live());
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| SwitchError::Pin { path, source }
    };
    if stands(&aside) {
        fs::remove_file(&aside).map_err(failed(&aside))?;
    }
    symlink(PinDir::live_target(generation), &aside).map_err(failed(&aside))?;
    fs::rename(&aside, &live).map_err(failed(&live))
}

fn program(pins: &PinDir, hook: Hook, of: Programs) -> Result<OwnedFd, SwitchError> {
    let path = of.pin(pins, hook);
    open(&path).map_err(|source| SwitchError::Program { path, source })
}

/// A link or a program.
fn open(path: &Path) -> io::Result<OwnedFd> {
    match sys::object_get(path)? {
        Object::Link(fd) | Object::Program(fd) => Ok(fd),
        other => Err(io::Error::other(format!("a {}", other.kind()))),
    }
}

/// Whether anything stands at `path`, a dangling symbolic link included.
fn stands(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
