//! A node in miniature: a mount namespace with its own bpffs, a cgroup, directories and a configuration.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use evermesh_handover::{RunDir, message::State};
use evermesh_pins::{Inventory, PinDir, host};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::running::Running;

pub const PATIENCE: Duration = Duration::from_secs(30);

pub const MESH: &str = "
services:
  - name: web
    namespace: demo
    hostname: web.demo.svc
    vips: [10.96.0.10]
    ports: {80: {targetPort: 8080, protocols: [TCP]}}
workloads:
  - uid: demo/web-1
    name: web-1
    namespace: demo
    workloadIps: [10.244.0.11]
    services: {demo/web.demo.svc: {}}
";

/// Everything is under one directory; the bpffs is seen by this test and its children alone.
pub struct Sandbox {
    dir: TempDir,
    cgroup: PathBuf,
}

impl Sandbox {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("evermesh-node-").tempdir().unwrap();
        private_mounts();
        let sandbox = Self { cgroup: cgroup_for(dir.path()), dir };
        for name in ["bpf", "state", "run"] {
            fs::create_dir(sandbox.path(name)).unwrap();
        }
        let bpffs = sandbox.path("bpf");
        mount(Some("bpf"), &bpffs, Some("bpf"), MsFlags::empty(), None::<&str>).unwrap();
        fs::create_dir(&sandbox.cgroup).unwrap();
        sandbox.write_config(MESH);
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    pub fn pins(&self) -> PinDir {
        PinDir::new(self.path("bpf/evermesh"))
    }

    pub fn write_config(&self, text: &str) {
        fs::write(self.path("new.yaml"), text).unwrap();
        fs::rename(self.path("new.yaml"), self.path("mesh.yaml")).unwrap();
    }

    /// `evermesh` with the sandbox's directories, but for those that the arguments name.
    pub fn evermesh(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evermesh"));
        command.args(arguments).current_dir(self.dir.path()).env_remove("RUST_LOG");
        for (flag, value) in [
            ("--bpffs", self.path("bpf/evermesh")),
            ("--state-dir", self.path("state")),
            ("--run-dir", self.path("run")),
        ] {
            if !arguments.contains(&flag) {
                command.arg(flag).arg(value);
            }
        }
        command
    }

    /// Runs it to its end.
    pub fn call(&self, arguments: &[&str]) -> Output {
        let child = self.evermesh(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let waiter = thread::spawn(move || child.wait_with_output().unwrap());
        let in_time = until(|| waiter.is_finished().then_some(()));
        if in_time.is_none() {
            signal(pid, Signal::SIGKILL);
        }
        let output = waiter.join().unwrap();
        assert!(in_time.is_some(), "{arguments:?} does not end: {}", self.told(&output));
        output
    }

    /// `evermesh run` at the sandbox's cgroup that is expected to end by itself: its exit code, and all it says.
    pub fn run_in_vain(&self, arguments: &[&str]) -> String {
        self.run_in_vain_at(self.cgroup.to_str(), arguments)
    }

    /// The same at a cgroup of choice.
    pub fn run_in_vain_at(&self, cgroup: Option<&str>, arguments: &[&str]) -> String {
        let base = ["run", "--config", "mesh.yaml", "--log", "off"];
        let cgroup: Vec<_> = cgroup.into_iter().flat_map(|cgroup| ["--cgroup", cgroup]).collect();
        self.told(&self.call(&[base.as_slice(), &cgroup, arguments].concat()))
    }

    /// An agent without supervisor at the same pins.
    pub fn agent(&self, state_dir: &str, run_dir: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_evermesh")).with_file_name("evermesh-agent");
        let mut command = Command::new(program);
        for (flag, value) in [
            ("--config", self.path("mesh.yaml")),
            ("--bpffs", self.path("bpf/evermesh")),
            ("--cgroup", self.cgroup.clone()),
            ("--state-dir", self.path(state_dir)),
            ("--run-dir", self.path(run_dir)),
        ] {
            command.arg(flag).arg(value);
        }
        command.env("RUST_LOG", "off");
        command
    }

    /// The same with another run directory, expected to end by itself.
    pub fn agent_in_vain(&self, state_dir: &str) -> String {
        self.told(&self.agent(state_dir, "other-run").output().unwrap())
    }

    /// What it says as JSON, whatever it exits with.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.call(&[arguments, &["--output", "json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", self.told(&output)))
    }

    /// What `status` says before it comes to process ids and times.
    pub fn headline(&self) -> String {
        let status = self.told(&self.call(&["status"]));
        status.lines().take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// Exit code, standard output and standard error, with the sandbox's own paths taken out.
    pub fn told(&self, output: &Output) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let parts = [code(output.status), text(&output.stdout), text(&output.stderr)];
        let told = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
        self.neutral(&told)
    }

    fn neutral(&self, text: &str) -> String {
        let dir = self.dir.path().to_str().unwrap();
        text.replace(self.cgroup.to_str().unwrap(), "[cgroup]").replace(dir, "[dir]")
    }

    /// What the supervisor says about itself, if it has said anything yet.
    pub fn state(&self) -> Option<State> {
        State::read(&RunDir::new(self.path("run"))).ok()
    }

    /// Starts Evermesh and waits until its agent is ready.
    pub fn start(&self) -> Running<'_> {
        self.start_with(&[])
    }

    /// The same with more flags.
    pub fn start_with(&self, flags: &[&str]) -> Running<'_> {
        self.start_by(self.run(flags))
    }

    /// `evermesh run` at the sandbox's cgroup.
    pub fn run(&self, flags: &[&str]) -> Command {
        let run = ["run", "--config", "mesh.yaml", "--cgroup", self.cgroup.to_str().unwrap()];
        self.evermesh(&[run.as_slice(), flags].concat())
    }

    /// Starts Evermesh by a command that becomes the supervisor, and waits until its agent is ready.
    pub fn start_by(&self, mut command: Command) -> Running<'_> {
        let log = fs::File::create(self.path("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let running = Running { child, sandbox: self };
        let ready = || {
            let state = self.state()?;
            (state.pid == running.child.id() && state.phase.as_str() == "running").then_some(())
        };
        assert!(until(ready).is_some(), "{}", fs::read_to_string(self.path("log")).unwrap());
        running
    }

    /// Has a data path made, and left behind by processes that have ended.
    pub fn leave_a_data_path(&self) {
        self.start().stop();
    }

    /// Every pin, and which kernel object it is.
    pub fn standing(&self) -> Vec<String> {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let links = inventory.links.iter().map(|(hook, link)| format!("{hook} {:?}", link.info));
        let frozen = inventory.frozen.iter().map(|(table, map)| format!("{table} {:?}", map.info));
        let generations = inventory.generations.iter().flat_map(|(number, generation)| {
            let tables = generation.tables.iter().map(move |(t, map)| format!("{number} {t} {:?}", map.info));
            let programs = generation.programs.iter().map(move |(h, p)| format!("{number} {h} {:?}", p.info));
            tables.chain(programs)
        });
        let oddities = inventory.oddities.iter().map(ToString::to_string);
        let mut standing: Vec<_> = links.chain(frozen).chain(generations).chain(oddities).collect();
        standing.push(format!("live {:?}", inventory.live));
        standing
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Unmounting drops the pins, and with them the links that hook the cgroup. One test mounts the other.
        for mounted in ["bpf", "state"] {
            let _ = umount2(&self.path(mounted), MntFlags::MNT_DETACH);
        }
        let _ = fs::remove_dir(&self.cgroup);
    }
}

/// Waits for something to be there.
pub fn until<T>(mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match found() {
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            other => return other,
        }
    }
}

pub fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

fn code(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// What is mounted from here on is seen by this thread and its children alone, and goes with them.
pub fn private_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
}

fn cgroup_for(dir: &Path) -> PathBuf {
    host::cgroup2_mount().unwrap().unwrap().join(dir.file_name().unwrap())
}
