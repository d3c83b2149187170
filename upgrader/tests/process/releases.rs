//! Releases for these tests: directories with a real supervisor and an agent that plays a script of the release.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_handover::message::{Phase, Releases, State, TrialEnd};
use evermesh_upgrader::release::{
    AGENT, Digest, Ledger, LedgerFile, SUPERVISOR, Source, Stamps, Store, stage,
};

use crate::{
    rig::{GOOD, Rig, Supervisor, until},
    scripted_agent::{ARGS, SCRIPT},
};

/// A gate and a pause that are short enough for a test; nobody is taken for hung because the machine is busy.
pub const TIMES: [&str; 6] = ["--watchdog-ms", "8000", "--trial-gate-ms", "300", "--trial-pause-ms", "100"];

impl Rig {
    /// The same, and its agent says these layouts, its own and those of the release before, and steps down by a script.
    pub fn release_with_layouts(&self, name: &str, layouts: [u32; 2], steps_down: &str) -> PathBuf {
        let [current, before] = layouts;
        let said = format!("{{\"current\":{{\"origins\":{current}}},\"before\":{{\"origins\":{before}}}}}");
        fs::write(self.path(&format!("{name}.layouts")), said).unwrap();
        fs::write(self.path(&format!("{name}-down")), steps_down).unwrap();
        self.release(name, GOOD)
    }

    /// Makes a release whose agent plays the script of its name.
    pub fn release(&self, name: &str, script: &str) -> PathBuf {
        let dir = self.path(&format!("release-{name}"));
        fs::create_dir(&dir).unwrap();
        fs::write(self.path(name), script).unwrap();
        let test = std::env::current_exe().unwrap();
        let version = |program: &str| format!("[ \"$1\" = --version ] && echo {program} {name} && exit\n");
        let said =
            format!("[ \"$1\" = layouts ] && exec cat {}\n", self.path(&format!("{name}.layouts")).display());
        let told = format!("cat >{}", self.path("told").display());
        let down = format!("[ \"$1\" = step-down ] && shift && {told} && export {SCRIPT}={name}-down\n");
        let agent = format!("{said}export {SCRIPT}={name}\n{down}exec {} \"$@\"\n", test.display());
        write_program(&dir.join(AGENT), &(version(AGENT) + &agent));
        write_program(&dir.join("evermesh"), &version("evermesh"));
        fs::copy(env!("CARGO_BIN_EXE_evermesh-supervisor"), dir.join(SUPERVISOR)).unwrap();
        dir
    }

    /// Starts the supervisor of a release as somebody outside does.
    pub fn launch(&self, release: &Path, options: &[&str]) -> Supervisor {
        let mut command = self.command_of(&release.join(SUPERVISOR), &[&TIMES, options].concat());
        command.arg("--").args(ARGS);
        self.spawn(command)
    }

    pub fn store(&self) -> Store {
        Store::of(&self.path("state"))
    }

    /// Stages a release, as the command line does.
    pub fn stage(&self, release: &Path) -> Digest {
        let (store, mut stamps) = (self.store(), Stamps::default());
        let held = store.lock(Duration::from_secs(10)).unwrap();
        let source = Source::named(release, &mut stamps).unwrap();
        stage(&store, &held, &source, &mut stamps).unwrap().release.digest
    }

    /// Stages a release and has it tried; gives its digest and the number of the trial.
    pub fn upgrade(&self, release: &Path, tries: u32) -> (Digest, u64) {
        let digest = self.stage(release);
        (digest, self.client().upgrade(&digest.to_string(), tries).unwrap())
    }

    /// Release `a` is launched, and an upgrade brings `b`, which is committed: the supervisor, `a`, and the digest of `b`.
    pub fn upgraded(&self) -> (Supervisor, PathBuf, Digest) {
        let (a, b) = (self.release("a", GOOD), self.release("b", GOOD));
        let supervisor = self.launch(&a, &[]);
        self.until_running(&supervisor);
        let (to, trial) = self.upgrade(&b, 1);
        assert!(self.until_trial_ended(trial).0.committed);
        (supervisor, a, to)
    }

    /// How that trial ended, and the state then.
    pub fn until_trial_ended(&self, trial: u64) -> (TrialEnd, State) {
        let ended = |state: &State| releases(state).last.as_ref().is_some_and(|last| last.trial == trial);
        let state =
            self.until_state("the end of the trial", |state| state.releases.is_some() && ended(state));
        (releases(&state).last.clone().unwrap(), state)
    }

    /// Waits until a ready agent is that of this release.
    pub fn until_runs(&self, supervisor: &Supervisor, release: &Digest) -> State {
        self.until_state("the agent of that release", |state| {
            let running = || releases(state).running.as_deref() == Some(release.to_string().as_str());
            state.pid == supervisor.pid() && state.phase == Phase::Running && running()
        })
    }

    pub fn ledger(&self) -> Ledger {
        LedgerFile::of(&self.store()).read().unwrap().unwrap()
    }

    /// The scripts of the agents that were told which maps they may do without what stands in, and these maps.
    pub fn may_lose(&self) -> Vec<String> {
        let told = fs::read_to_string(self.path("may-lose")).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }

    /// The scripts of the agents that have started, in order.
    pub fn played(&self) -> Vec<String> {
        let played = fs::read_to_string(self.path("played")).unwrap_or_default();
        played.lines().map(str::to_owned).collect()
    }

    /// Waits for so many agents of that script: the supervisor knows of an agent before the agent has said its name.
    pub fn until_played(&self, script: &str, times: usize) {
        let times_played = || self.played().iter().filter(|played| *played == script).count();
        until("the agent of that script", || (times_played() >= times).then_some(()));
    }
}

pub fn releases(state: &State) -> &Releases {
    state.releases.as_ref().unwrap()
}

/// The digest of the release in that directory.
pub fn digest(release: &Path) -> Digest {
    Source::measure(release, &mut Stamps::default()).unwrap().digest
}

fn write_program(path: &Path, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
