use std::{
    fs::File,
    io,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use aya_obj::generated::{BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE};

use crate::{
    Hook,
    sys::{self, AttachFlags},
};

/// Which programs run at a hook for sockets of a cgroup, and whether one more can be attached there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The hook.
    pub hook: Hook,
    /// In the order in which they run: those of the cgroup, then those of the cgroups above it.
    pub programs: Vec<Seated>,
    /// The cgroup that does not let others attach beside or below its program.
    pub closed_by: Option<PathBuf>,
}

/// An attached program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seated {
    /// The kernel's id.
    pub id: u32,
    /// Its name, empty where it has none or may not be asked.
    pub name: String,
}

impl Seat {
    /// At `hook` of the cgroup with that directory, in the hierarchy mounted at `mount`. Needs `CAP_NET_ADMIN`, and
    /// `CAP_SYS_ADMIN` for the names.
    pub fn at(hook: Hook, cgroup: &Path, mount: &Path) -> io::Result<Self> {
        let ids = sys::programs_effective(File::open(cgroup)?.as_fd(), hook.attach_type())?;
        let programs = ids.into_iter().map(|id| Seated { id, name: name(id) }).collect();
        Ok(Self { hook, programs, closed_by: closed_by(hook, cgroup, mount)? })
    }
}

fn name(id: u32) -> String {
    let info = sys::program_by_id(id).and_then(|program| sys::program_info(program.as_fd()));
    info.map(|info| info.name).unwrap_or_default()
}

/// The nearest cgroup with a program decides.
fn closed_by(hook: Hook, cgroup: &Path, mount: &Path) -> io::Result<Option<PathBuf>> {
    for directory in cgroup.ancestors().take_while(|directory| directory.starts_with(mount)) {
        let attached = sys::programs_attached(File::open(directory)?.as_fd(), hook.attach_type())?;
        match (attached, directory == cgroup) {
            ((ids, _), _) if ids.is_empty() => {}
            ((_, flags), beside) => return Ok((!lets(flags, beside)).then(|| directory.to_owned())),
        }
    }
    Ok(None)
}

/// Whether a program attached with these flags lets others attach beside it, or below it.
fn lets(AttachFlags(flags): AttachFlags, beside: bool) -> bool {
    flags & BPF_F_ALLOW_MULTI != 0 || (!beside && flags & BPF_F_ALLOW_OVERRIDE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_lets_others_in_as_its_flags_say() {
        for (flags, beside, below) in
            [(0, false, false), (BPF_F_ALLOW_OVERRIDE, false, true), (BPF_F_ALLOW_MULTI, true, true)]
        {
            assert_eq!((lets(AttachFlags(flags), true), lets(AttachFlags(flags), false)), (beside, below));
        }
    }
}
