//! Taking a cluster away, one's own or a dead owner's: by what it owns, never by what something is called. Every step
//! bears being done twice, and being cut off: the directory, by which the rest is found, goes last.

use std::{collections::BTreeSet, fs, io, path::Path, time::Duration};

use evermesh_chaos_tests::{sandbox::mounts, wait};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    ClusterName, Error, Footprint, Result,
    cgroups::Cgroups,
    footprint,
    held::Held,
    layout::{self, Layout, ROOT},
};

/// The kernel ends processes and gives up cgroups when it has the time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes down the cluster of that name, and what dead owners of others left behind.
pub fn down(name: &ClusterName) -> Result<()> {
    sweep()?;
    remove(Held::take(name)?)
}

/// Removes every cluster that nobody holds and nobody has kept.
pub(crate) fn sweep() -> Result<()> {
    for name in layout::all_names()? {
        match Held::try_take(&name)? {
            Some(held) if !held.is_kept()? => remove(held)?,
            _ => {}
        }
    }
    Ok(())
}

/// Removes what is there of a cluster, and holds its name still.
pub(crate) fn clear(held: Held) -> Result<Held> {
    if Footprint::of(held.layout().name())?.is_bare() {
        return Ok(held);
    }
    let name = held.layout().name().clone();
    remove(held)?;
    Held::take(&name)
}

/// Whoever is cut off here leaves a cluster that nobody keeps. Processes first, so that nothing new appears; then what they held.
pub(crate) fn remove(held: Held) -> Result<()> {
    let layout = held.layout();
    held.no_longer_keep()?;
    end_processes(layout)?;
    mounts::unmount_below(layout.dir())?;
    remove_cgroups(&Cgroups::of(layout.name())?)?;
    // Whatever is still mounted below would be emptied with the directory.
    let left = Footprint::of(layout.name())?;
    if left.has_only_files() { remove_directory(layout) } else { Err(Error::LeftBehind(left.to_string())) }
}

/// Ends every process in the cluster's cgroups and in its namespaces, and waits until they have ended. One that was just being
/// started comes into its cgroup before it does anything else, and is met the next time.
pub(crate) fn end_processes(layout: &Layout) -> Result<()> {
    let cgroups = Cgroups::of(layout.name())?;
    let what = format!("the processes of the cluster {} to end", layout.name());
    wait::until(&what, PATIENCE, || match end_some(layout, &cgroups) {
        Ok(0) => Some(Ok(())),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })?
}

/// How many there were.
fn end_some(layout: &Layout, cgroups: &Cgroups) -> Result<usize> {
    cgroups.whole().kill()?;
    let others: BTreeSet<i32> =
        footprint::processes_in_namespaces(layout)?.into_iter().chain(cgroups.processes()).collect();
    for &pid in &others {
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(source) => return Err(Error::kernel("kill a process of", layout.dir())(source)),
        }
    }
    Ok(others.len())
}

fn remove_cgroups(cgroups: &Cgroups) -> Result<()> {
    let what = format!("cgroups {:?} to be removed", cgroups.all());
    Ok(wait::until(&what, PATIENCE, || cgroups.remove_empty().then_some(()))?)
}

fn remove_directory(layout: &Layout) -> Result<()> {
    match fs::remove_dir_all(layout.dir()) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::path("remove", layout.dir())(e)),
        _ => remove_root(),
    }
}

/// The last cluster takes the directory of all with it.
fn remove_root() -> Result<()> {
    match fs::remove_dir(Path::new(ROOT)) {
        Err(e) if !matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(Error::path("remove", ROOT)(e))
        }
        _ => Ok(()),
    }
}
