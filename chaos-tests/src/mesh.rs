//! Evermesh itself, as a user runs it: through the command line, in a sandbox.

use std::{
    collections::BTreeSet,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};
use serde::Deserialize;

use crate::{
    Error, Result, binaries,
    pod::Pod,
    process::{Process, send},
    sandbox::Sandbox,
    wait,
};

/// Longer than a start on a busy machine, and than any back-off that is not a crash loop.
const PATIENCE: Duration = Duration::from_secs(30);

/// `evermesh run` in a sandbox. What it has pinned stays when the handle is dropped; the sandbox takes it away.
#[derive(Debug)]
pub struct Mesh<'a> {
    sandbox: &'a Sandbox,
    program: PathBuf,
    flags: Vec<String>,
    supervisor: Option<Process>,
    starts: u32,
}

/// What of `supervisor.json` tells when an agent serves.
#[derive(Debug, Deserialize)]
struct State {
    pid: i32,
    agent_pid: Option<i32>,
    phase: String,
}

/// `dump endpoints`, as far as it is of interest here.
#[derive(Debug, Deserialize)]
struct Dump {
    endpoints: Vec<DumpedEndpoint>,
}

#[derive(Debug, Deserialize)]
struct DumpedEndpoint {
    #[serde(flatten)]
    endpoint: MeshEndpoint,
    slots: usize,
}

/// A pod's port behind a service's port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct MeshEndpoint {
    /// The service.
    pub service: String,
    /// Its port.
    pub service_port: u16,
    /// The pod.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}

impl<'a> Mesh<'a> {
    /// Writes `config` as the mesh's file, runs Evermesh with `flags` besides the sandbox's own, and waits until its
    /// agent is ready.
    pub fn start(sandbox: &'a Sandbox, config: &str, flags: &[&str]) -> Result<Self> {
        let program = binaries::find("evermesh")?;
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        let mut mesh = Self { sandbox, program, flags, supervisor: None, starts: 0 };
        mesh.write_config(config)?;
        mesh.restart()?;
        Ok(mesh)
    }

    /// The mesh's file.
    pub fn config(&self) -> PathBuf {
        self.sandbox.dir().join("mesh.yaml")
    }

    /// Replaces the mesh's file as careful editors do: at once.
    pub fn write_config(&self, config: &str) -> Result<()> {
        let (path, aside) = (self.config(), self.sandbox.dir().join("mesh.yaml.new"));
        fs::write(&aside, config).map_err(Error::path("write", &aside))?;
        fs::rename(&aside, &path).map_err(Error::path("replace", path))
    }

    /// Runs the supervisor again, after it has ended, and waits until its agent is ready.
    pub fn restart(&mut self) -> Result<Pid> {
        let mut command = Command::new(&self.program);
        command.arg("run").arg("--config").arg(self.config()).args(self.directories());
        command.arg("--cgroup").arg(self.sandbox.pods_cgroup().path()).args(&self.flags);
        self.starts += 1;
        let (what, log_dir) = (format!("evermesh-{}", self.starts), self.sandbox.log_dir());
        let process = Process::spawn(&what, command, self.sandbox.mesh_placement()?, &log_dir)?;
        self.supervisor = Some(process);
        self.await_agent(None)
    }

    fn directories(&self) -> [PathBuf; 6] {
        let sandbox = self.sandbox;
        let (state, bpffs, run) = (sandbox.state_dir(), sandbox.bpffs(), sandbox.run_dir());
        ["--state-dir".into(), state, "--bpffs".into(), bpffs, "--run-dir".into(), run]
    }

    /// The agent's process, as the supervisor says.
    pub fn agent_pid(&self) -> Result<Pid> {
        self.await_agent(None)
    }

    /// The supervisor's process.
    pub fn supervisor_pid(&self) -> Option<Pid> {
        self.supervisor.as_ref().map(Process::pid)
    }

    /// Waits for a ready agent other than `old`.
    pub fn await_agent(&self, old: Option<Pid>) -> Result<Pid> {
        let what = format!("a ready agent (see {})", self.sandbox.log_dir().display());
        wait::until(&what, PATIENCE, || self.ready_agent().filter(|&pid| Some(pid) != old))
    }

    fn ready_agent(&self) -> Option<Pid> {
        let state = self.state().filter(|state| state.phase == "running")?;
        state.agent_pid.map(Pid::from_raw)
    }

    /// The file may be one of an earlier supervisor: only that of the one that runs counts.
    fn state(&self) -> Option<State> {
        let text = fs::read_to_string(self.sandbox.run_dir().join("supervisor.json")).ok()?;
        let state: State = serde_json::from_str(&text).ok()?;
        Some(state).filter(|state| Some(Pid::from_raw(state.pid)) == self.supervisor_pid())
    }

    /// Kills the agent, and tells which process it was.
    pub fn kill_agent(&self) -> Result<Pid> {
        self.signal_agent(Signal::SIGKILL)
    }

    /// Stops the agent in the middle of whatever it does, for good.
    pub fn hang_agent(&self) -> Result<Pid> {
        self.signal_agent(Signal::SIGSTOP)
    }

    /// Kills the agent, and the next one `delay` after it was seen, ready or not. Tells which the second was.
    pub fn kill_starting_agent(&self, delay: Duration) -> Result<Pid> {
        let old = self.kill_agent()?;
        let started =
            || self.state().and_then(|state| state.agent_pid).map(Pid::from_raw).filter(|&pid| pid != old);
        let starting = wait::until("another agent to be started", PATIENCE, started)?;
        sleep(delay);
        send("starting agent", starting, Signal::SIGKILL)?;
        Ok(starting)
    }

    fn signal_agent(&self, signal: Signal) -> Result<Pid> {
        let pid = self.agent_pid()?;
        send("agent", pid, signal)?;
        Ok(pid)
    }

    /// Kills the supervisor, whose agent dies with it, and waits until both have ended.
    pub fn kill_supervisor(&mut self) -> Result<()> {
        let agent = self.agent_pid()?;
        self.end_supervisor(Signal::SIGKILL)?;
        await_end(agent)
    }

    /// Kills the agent and, before anybody can replace it, the supervisor.
    pub fn kill_both(&mut self) -> Result<()> {
        let agent = self.kill_agent()?;
        self.end_supervisor(Signal::SIGKILL)?;
        await_end(agent)
    }

    /// What Ctrl-C does: the processes end, the data path stays.
    pub fn interrupt(&mut self) -> Result<()> {
        self.end_supervisor(Signal::SIGINT)
    }

    fn end_supervisor(&mut self, signal: Signal) -> Result<()> {
        if let Some(mut supervisor) = self.supervisor.take() {
            supervisor.signal(signal)?;
            supervisor.await_exit(PATIENCE)?;
        }
        Ok(())
    }

    /// Lets the traffic of `pod` be balanced.
    pub fn pod_add(&self, pod: &Pod) -> Result<()> {
        let netns = pod.netns().path();
        self.command(&["pod".as_ref(), "add".as_ref(), pod.name().as_ref(), "--netns".as_ref(), netns])
            .map(drop)
    }

    /// `evermesh status`, as JSON.
    pub fn status(&self) -> Result<String> {
        self.command(&["status".as_ref(), "--output".as_ref(), "json".as_ref()])
    }

    /// Why the mesh's file is not in force, if it is not.
    pub fn refusal(&self) -> Result<Option<String>> {
        Ok(None)
    }

    /// The endpoints that new connections may be given, as the kernel's tables say.
    pub fn endpoints(&self) -> Result<BTreeSet<MeshEndpoint>> {
        let text =
            self.command(&["dump".as_ref(), "endpoints".as_ref(), "--output".as_ref(), "json".as_ref()])?;
        let dump: Dump =
            serde_json::from_str(&text).map_err(|source| Error::Json { what: "dump", source })?;
        Ok(dump.endpoints.into_iter().filter(|e| e.slots > 0).map(|e| e.endpoint).collect())
    }

    /// Takes away everything that was ever pinned.
    pub fn uninstall(&self) -> Result<String> {
        self.command(&["uninstall".as_ref()])
    }

    /// Runs `evermesh` with these arguments and the sandbox's directories, and gives what it printed.
    pub fn command(&self, arguments: &[&Path]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(self.directories());
        let text = format!("{command:?}");
        let program = self.program.clone();
        let output = command.output().map_err(|source| Error::Spawn { program, source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Command { command: text, status: output.status, stderr })
    }
}

/// A process that is not ours to wait for has ended when it is gone or a zombie.
fn await_end(pid: Pid) -> Result<()> {
    let stat = format!("/proc/{pid}/stat");
    let ended = || match fs::read_to_string(&stat) {
        Ok(text) => {
            text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])).then_some(())
        }
        Err(_) => Some(()),
    };
    wait::until(&format!("process {pid} to end"), PATIENCE, ended)
}
