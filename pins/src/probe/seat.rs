use std::{
    collections::BTreeMap,
    fs::{self, File},
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
    /// Those attached to cgroups below, which run before these for what is in there.
    pub below: Vec<(PathBuf, Seated)>,
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
    /// At each hook of the cgroup with that directory, in the hierarchy mounted at `mount`. Needs `CAP_NET_ADMIN`, and
    /// `CAP_SYS_ADMIN` for the names.
    pub fn all(cgroup: &Path, mount: &Path) -> io::Result<Vec<Self>> {
        let (opened, mut below) = (File::open(cgroup)?, attached_below(cgroup)?);
        let seat = |hook: Hook| {
            let ids = sys::programs_effective(opened.as_fd(), hook.attach_type())?;
            let programs = ids.into_iter().map(Seated::of).collect();
            let below = below.remove(&hook).unwrap_or_default();
            Ok(Self { hook, programs, below, closed_by: closed_by(hook, cgroup, mount)? })
        };
        Hook::ALL.into_iter().map(seat).collect()
    }
}

impl Seated {
    fn of(id: u32) -> Self {
        Self { id, name: name(id) }
    }
}

/// What is attached to each of the cgroups below one. A cgroup may go while it is looked at.
fn attached_below(cgroup: &Path) -> io::Result<BTreeMap<Hook, Vec<(PathBuf, Seated)>>> {
    let (mut left, mut found) = (children(cgroup)?, BTreeMap::<_, Vec<_>>::new());
    while let Some(directory) = left.pop() {
        left.extend(children(&directory).unwrap_or_default());
        let Ok(opened) = File::open(&directory) else { continue };
        for hook in Hook::ALL {
            let Ok((ids, _)) = sys::programs_attached(opened.as_fd(), hook.attach_type()) else { continue };
            let attached = ids.into_iter().map(|id| (directory.clone(), Seated::of(id)));
            found.entry(hook).or_default().extend(attached);
        }
    }
    Ok(found)
}

fn children(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.filter_map(Result::ok);
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Ok(directories.map(|entry| entry.path()).collect())
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
