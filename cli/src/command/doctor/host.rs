//! What is mounted.

use std::path::{Path, PathBuf};

use super::{
    check::Check,
    facts::{Facts, Hooked, Seen},
};

pub fn checks(facts: &Facts) -> Vec<Check> {
    vec![
        bpffs(&facts.pins, &facts.bpffs),
        cgroup(&facts.cgroup),
        cgroup1(&facts.cgroup1, facts.cgroup.as_ref().ok()),
    ]
}

fn bpffs(pins: &Path, lies: &Seen<bool>) -> Check {
    const NAME: &str = "bpffs";
    match lies {
        Err(reason) => Check::unknown(NAME, reason),
        Ok(true) => Check::ok(NAME, format!("{} lies in one", pins.display())),
        Ok(false) => Check::missing(
            NAME,
            format!("{} lies in none", pins.display()),
            "nothing can be pinned, so Evermesh refuses to start: what is not pinned ends with the agent",
            "run `mount -t bpf bpf /sys/fs/bpf` on the host (a mount made in a container ends with it), or name a \
             directory in a mounted one with --bpffs",
        ),
    }
}

fn cgroup(cgroup: &Seen<Hooked>) -> Check {
    const NAME: &str = "cgroup";
    match cgroup {
        Ok(Hooked { path, stands: true, .. }) => Check::ok(NAME, format!("{} is hooked", path.display())),
        Ok(Hooked { path, .. }) => Check::ok(NAME, format!("{} can be hooked", path.display())),
        Err(reason) => Check::missing(
            NAME,
            reason,
            "there is nothing to attach the hooks to: nothing is balanced",
            "mount cgroup v2, or name a directory in it with --cgroup",
        ),
    }
}

/// Where controllers of version 1 are mounted, a container runtime may place pods by these alone.
fn cgroup1(mounts: &Seen<Vec<PathBuf>>, hooked: Option<&Hooked>) -> Check {
    const NAME: &str = "cgroup_v1";
    let mounts = match mounts {
        Err(reason) => return Check::unknown(NAME, reason),
        Ok(mounts) => mounts,
    };
    let Some(first) = mounts.first() else { return Check::ok(NAME, "none is mounted beside version 2") };
    let found = format!("{} mounts beside version 2, such as {}", mounts.len(), first.display());
    match hooked {
        Some(hooked) if hooked.is_root => {
            Check::ok(NAME, format!("{found}; the root of version 2 covers all"))
        }
        _ => Check::degraded(
            NAME,
            found,
            "processes that a container runtime places by version 1 alone stay at the root of version 2, above the \
             hooked cgroup: they are not balanced",
            "hook the root (run without --cgroup), or boot with systemd.unified_cgroup_hierarchy=1",
        ),
    }
}
