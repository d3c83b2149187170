use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_handover::{Client, ClientError, Intent, RunDir};
use evermesh_pins::{
    Inventory, PinDir, Removed, WriterLock,
    host::{self, Cgroup},
    remove_all,
};
use evermesh_sentinel::remove_left_cgroups;
use serde::Serialize;

use crate::{
    Exit, Failure,
    args::Directories,
    hooked,
    output::Output,
    process::{agent, lone_agent::LoneAgent},
};

/// How long the supervisor may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How long the processes may take to end.
const END: Duration = Duration::from_secs(30);
/// How long a writer may take that is about to end.
const WRITER: Duration = Duration::from_secs(5);

/// Stops Evermesh and removes all it ever pinned. It can be interrupted anywhere: the intent stays on disk until the
/// last pin is gone, and doing it again goes on where it stopped.
pub fn uninstall(directories: &Directories, output: Output, purge: bool) -> Result<Exit, Failure> {
    host::require_root()?;
    let state_dir = StateDir::prepare(&directories.state_dir)?;
    Intent::Uninstall.record(state_dir.path)?;
    let stopped = stop(&directories.run())?;
    let lone_agent = LoneAgent::find(&directories.pins())?.map(LoneAgent::stop).transpose()?;
    let hooked = hooked_cgroup(directories);
    let Removed { paths: mut removed, foreign } = remove_pins(&directories.pins())?;
    removed.extend(hooked.map(|cgroup| remove_left_cgroups(&cgroup.path)).unwrap_or_default());
    remove_traces(&directories.run())?;
    Intent::clear(state_dir.path)?;
    let purged = if purge { state_dir.purge()? } else { Vec::new() };
    state_dir.restore()?;
    let (agent_stopped, agent_unit) = lone_agent.map(|it| (it.pid, it.unit)).unzip();
    let agent_unit = agent_unit.flatten();
    output.show(&Uninstalled {
        supervisor_stopped: stopped,
        agent_stopped,
        agent_unit,
        removed,
        foreign,
        purged,
    })?;
    Ok(Exit::Ok)
}

/// Whether there was one to stop.
fn stop(run_dir: &RunDir) -> Result<bool, Failure> {
    match Client::connect(run_dir, ANSWER).and_then(|client| client.stop(Intent::Uninstall, END)) {
        Ok(()) => Ok(true),
        Err(ClientError::NotRunning { .. }) => Ok(false),
        Err(error) => Err(Failure::Stop(error)),
    }
}

/// As long as links say it. None: what sentinels have left below it stays.
fn hooked_cgroup(directories: &Directories) -> Option<Cgroup> {
    let inventory = Inventory::read(&directories.pins()).ok()?;
    hooked::cgroup(&inventory, directories.cgroup.as_deref()).ok()
}

fn remove_pins(pins: &PinDir) -> Result<Removed, Failure> {
    if !pins.root().exists() {
        return Ok(Removed::default());
    }
    let _lock = WriterLock::acquire(pins, WRITER)?;
    Ok(remove_all(pins)?)
}

/// What processes that were killed left in the run directory. The supervisor's lock stays: whoever opened it must find
/// the one file that everybody locks.
fn remove_traces(run_dir: &RunDir) -> Result<(), Failure> {
    let of_supervisor = [run_dir.control_socket(), run_dir.notify_socket(), run_dir.state_file()];
    let of_agent = agent::FILES.map(|name| run_dir.path().join(name));
    of_supervisor.iter().chain(&of_agent).try_for_each(|path| gone(fs::remove_file(path), "remove", path))
}

/// The state directory; made for the time of the removal where there is none, to hold the intent.
struct StateDir<'a> {
    path: &'a Path,
    made: bool,
}

impl<'a> StateDir<'a> {
    fn prepare(path: &'a Path) -> Result<Self, Failure> {
        let made = !path.exists();
        fs::create_dir_all(path).map_err(failed("make", path))?;
        Ok(Self { path, made })
    }

    /// Empties it.
    fn purge(&self) -> Result<Vec<PathBuf>, Failure> {
        let entries = fs::read_dir(self.path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut purged: Vec<PathBuf> =
            entries.map_err(failed("list", self.path))?.iter().map(fs::DirEntry::path).collect();
        purged.sort();
        for path in &purged {
            let removed = if path.is_symlink() || !path.is_dir() {
                fs::remove_file(path)
            } else {
                fs::remove_dir_all(path)
            };
            gone(removed, "remove", path)?;
        }
        Ok(purged)
    }

    fn restore(self) -> Result<(), Failure> {
        if self.made { gone(fs::remove_dir(self.path), "remove", self.path) } else { Ok(()) }
    }
}

fn gone(removed: io::Result<()>, step: &'static str, path: &Path) -> Result<(), Failure> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(failed(step, path)),
    }
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::Directory { step, path: path.to_owned(), source }
}

#[derive(Serialize)]
struct Uninstalled {
    supervisor_stopped: bool,
    /// The agent that ran without a supervisor.
    agent_stopped: Option<u32>,
    /// The service that it ran in.
    agent_unit: Option<String>,
    removed: Vec<PathBuf>,
    foreign: Vec<PathBuf>,
    purged: Vec<PathBuf>,
}

impl fmt::Display for Uninstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.supervisor_stopped {
            writeln!(f, "stopped the supervisor and its agent")?;
        }
        if let Some(pid) = self.agent_stopped {
            writeln!(f, "stopped the agent (pid {pid}), which ran without a supervisor")?;
        }
        if let Some(unit) = &self.agent_unit {
            writeln!(f, "it ran in {unit}: disable that, or it may start the agent again")?;
        }
        match self.removed.len() {
            0 => writeln!(f, "nothing of Evermesh was pinned")?,
            count => list(f, &format!("removed {count} pins and directories:"), &self.removed)?,
        }
        if !self.foreign.is_empty() {
            list(f, "left alone, because Evermesh did not make it:", &self.foreign)?;
        }
        match self.purged.is_empty() {
            true => Ok(()),
            false => list(f, "removed from the state directory:", &self.purged),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, paths: &[PathBuf]) -> fmt::Result {
    writeln!(f, "{title}")?;
    paths.iter().try_for_each(|path| writeln!(f, "  {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> Uninstalled {
        Uninstalled {
            supervisor_stopped: true,
            agent_stopped: None,
            agent_unit: None,
            removed: vec!["/sys/fs/bpf/evermesh/links/connect4".into(), "/sys/fs/bpf/evermesh".into()],
            foreign: vec!["/sys/fs/bpf/evermesh/theirs".into()],
            purged: vec!["/var/lib/evermesh/last-applied".into()],
        }
    }

    fn nothing() -> Uninstalled {
        Uninstalled {
            supervisor_stopped: false,
            agent_stopped: None,
            agent_unit: None,
            removed: vec![],
            foreign: vec![],
            purged: vec![],
        }
    }

    #[test]
    fn a_service_that_may_start_the_agent_again_is_named() {
        let agent_unit = Some("evermesh.service".into());
        insta::assert_snapshot!(Uninstalled { agent_stopped: Some(4711), agent_unit, ..nothing() }, @r"
        stopped the agent (pid 4711), which ran without a supervisor
        it ran in evermesh.service: disable that, or it may start the agent again
        nothing of Evermesh was pinned
        ");
    }

    #[test]
    fn what_was_removed_is_listed() {
        insta::assert_snapshot!(everything());
        insta::assert_snapshot!("as_json", serde_json::to_string_pretty(&everything()).unwrap());
    }

    #[test]
    fn where_nothing_stood_nothing_is_claimed() {
        let nothing = nothing();
        insta::assert_snapshot!(nothing, @"nothing of Evermesh was pinned");
    }

    #[test]
    fn a_purge_empties_the_state_directory() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("quarantine")).unwrap();
        fs::write(dir.path().join("quarantine/last-applied"), "damaged").unwrap();
        fs::write(dir.path().join("last-applied"), "fine").unwrap();
        let purged = StateDir::prepare(dir.path()).unwrap().purge().unwrap();
        assert_eq!(purged, [dir.path().join("last-applied"), dir.path().join("quarantine")]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_state_directory_that_was_made_for_the_removal_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        StateDir::prepare(&path).unwrap().restore().unwrap();
        assert!(!path.exists());
        StateDir::prepare(dir.path()).unwrap().restore().unwrap();
        assert!(dir.path().exists());
    }
}
