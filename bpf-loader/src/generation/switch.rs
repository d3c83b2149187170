use std::{
    fs::{self, File},
    io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use evermesh_pins::{
    GenerationPins, Hook, LinkPin, PinDir,
    host::Cgroup,
    sys::{self, Object},
};

/// Why a link was not made or switched.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// A program is not there.
    #[error("generation has no program for {hook}")]
    Program {
        /// For which hook.
        hook: Hook,
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

/// Attaches the generation's programs where no link stands.
pub fn attach_missing(
    pins: &PinDir,
    cgroup: &Cgroup,
    generation: &GenerationPins,
    hooks: &[Hook],
) -> Result<(), SwitchError> {
    let path = cgroup.path.clone();
    let directory = File::open(&path).map_err(|source| SwitchError::Cgroup { path, source })?;
    for &hook in hooks {
        let program = program(generation, hook)?;
        let attach = |source| SwitchError::Attach { hook, cgroup: cgroup.path.clone(), source };
        let link = sys::link_create(program, directory.as_fd(), hook.attach_type()).map_err(attach)?;
        let path = pins.link(hook);
        sys::object_pin(link.as_fd(), &path).map_err(|source| SwitchError::Pin { path, source })?;
    }
    Ok(())
}

/// Leads every link from the programs of one generation to those of another, in the order of [`Hook::ALL`];
/// each by compare-and-swap. Links that are there already stay.
pub fn switch_links(
    pins: &PinDir,
    hooks: &[Hook],
    from: &GenerationPins,
    to: &GenerationPins,
) -> Result<(), SwitchError> {
    for &hook in hooks {
        let path = pins.link(hook);
        let failed = |source| SwitchError::Switch { path: path.clone(), source };
        let link = open_link(&path).map_err(failed)?;
        sys::link_update(link.fd.as_fd(), program(to, hook)?, program(from, hook)?).map_err(failed)?;
    }
    Ok(())
}

/// Makes `live` name the generation, in one step.
pub fn make_live(pins: &PinDir, number: u32) -> Result<(), SwitchError> {
    let (aside, live) = (pins.live_aside(), pins.live());
    if stands(&aside) {
        fs::remove_file(&aside).map_err(|source| SwitchError::Pin { path: aside.clone(), source })?;
    }
    symlink(PinDir::live_target(number), &aside)
        .map_err(|source| SwitchError::Pin { path: aside.clone(), source })?;
    fs::rename(&aside, &live).map_err(|source| SwitchError::Pin { path: live, source })
}

fn program(generation: &GenerationPins, hook: Hook) -> Result<BorrowedFd<'_>, SwitchError> {
    generation.programs.get(&hook).map(|pin| pin.fd.as_fd()).ok_or(SwitchError::Program { hook })
}

fn open_link(path: &Path) -> io::Result<LinkPin> {
    match sys::object_get(path)? {
        Object::Link(fd) => Ok(LinkPin { info: sys::link_info(fd.as_fd())?, fd }),
        other => Err(io::Error::other(format!("a {}, not a link", other.kind()))),
    }
}

/// Whether anything stands at `path`, a dangling symbolic link included.
fn stands(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
