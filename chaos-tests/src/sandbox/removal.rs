//! Taking a sandbox away, one's own or a dead owner's. Every step bears being done twice, and by two at once.

use std::{collections::BTreeSet, env, fs, io, path::Path, time::Duration};

use super::{Cgroup, Footprint, Objects, SandboxName, mounts};
use crate::{Error, Result, wait};

/// The kernel frees eBPF objects after a grace period and a work queue.
const PATIENCE: Duration = Duration::from_secs(10);

/// Removes every sandbox whose owner has ended.
pub(crate) fn sweep() -> Result<()> {
    let names = all_names()?;
    names.iter().filter(|name| !name.owner_lives()).try_for_each(remove)
}

fn all_names() -> Result<BTreeSet<SandboxName>> {
    let mut names = names_in(&env::temp_dir())?;
    names.append(&mut names_in(Cgroup::root()?.path())?);
    Ok(names)
}

fn names_in(dir: &Path) -> Result<BTreeSet<SandboxName>> {
    let entries = fs::read_dir(dir).map_err(Error::path("list", dir))?;
    Ok(entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect())
}

/// Takes a sandbox away, its own owner's or not: processes first, so that nothing new appears; then what they held.
pub fn remove(name: &SandboxName) -> Result<()> {
    let dir = name.directory();
    let pinned = Objects::pinned_below(&dir.join("bpf"))?;
    Cgroup::root()?.child(&name.to_string()).kill_and_remove()?;
    mounts::unmount_below(&dir)?;
    remove_directory(&dir)?;
    pinned.await_freed(PATIENCE)?;
    expect_nothing(name)
}

fn remove_directory(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::path("remove", dir)(e)),
        _ => Ok(()),
    }
}

fn expect_nothing(name: &SandboxName) -> Result<()> {
    let empty = || Footprint::of(name).ok().filter(Footprint::is_empty);
    match wait::until("the sandbox to be gone", PATIENCE, empty) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::LeftBehind(Footprint::of(name)?.to_string())),
    }
}
