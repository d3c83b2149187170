//! Evermesh itself, as a user runs it: through the command line, in a sandbox.

mod command;
mod takeover;
mod view;
mod wall_clock;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use evermesh_pins::PinDir;
use nix::{sys::signal::Signal, unistd::Pid};
use view::State;
pub use view::{ControlPlaneSeen, MeshEndpoint, Refusal};
use wall_clock::WallClock;

use crate::{
    Error, Result, binaries,
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
    source: Source,
    flags: Vec<String>,
    /// Kernel programs that take the place of those built in.
    programs: Option<PathBuf>,
    supervisor: Option<Process>,
    starts: u32,
    /// Where it is not the machine's.
    wall_clock: Option<WallClock>,
}

/// Where configuration comes from.
#[derive(Clone, Debug)]
enum Source {
    /// The mesh's file.
    File,
    /// A control plane.
    ControlPlane(String),
}

impl<'a> Mesh<'a> {
    /// Writes `config` as the mesh's file, runs Evermesh with `flags` besides the sandbox's own, and waits until its
    /// agent is ready.
    pub fn start(sandbox: &'a Sandbox, config: &str, flags: &[&str]) -> Result<Self> {
        let mut mesh = Self::new(sandbox, Source::File, flags)?;
        mesh.write_config(config)?;
        mesh.restart()?;
        Ok(mesh)
    }

    /// Runs Evermesh after the control plane at this address (as `--xds-address` takes it), with `flags` besides the
    /// sandbox's own, and waits until its agent is ready. It need not have heard anything by then.
    pub fn follow(sandbox: &'a Sandbox, address: &str, flags: &[&str]) -> Result<Self> {
        let mut mesh = Self::new(sandbox, Source::ControlPlane(address.to_owned()), flags)?;
        mesh.restart()?;
        Ok(mesh)
    }

    fn new(sandbox: &'a Sandbox, source: Source, flags: &[&str]) -> Result<Self> {
        let program = binaries::find("evermesh")?;
        let mut mesh = Self {
            sandbox,
            program,
            source,
            flags: Vec::new(),
            programs: None,
            supervisor: None,
            starts: 0,
            wall_clock: None,
        };
        mesh.set_flags(flags);
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

    /// The next supervisor gets these instead of the ones the mesh was started with.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|&flag| flag.to_owned()).collect();
    }

    /// Everything that is run from now on is of the release in that directory.
    pub fn set_release(&mut self, release: &Path) {
        self.program = release.join("evermesh");
    }

    /// The agents of the next supervisor bring these kernel programs; none: those built in.
    pub fn set_programs(&mut self, programs: Option<PathBuf>) {
        self.programs = programs;
    }

    /// Sets the wall clock so far ahead of the machine's: that of supervisors that are started from then on and of their
    /// agents, and of commands.
    pub fn set_clock_ahead(&mut self, by: Duration) -> Result<()> {
        self.wall_clock.get_or_insert_with(|| WallClock::new(self.sandbox.dir())).set_ahead(by)
    }

    /// Runs the supervisor again, after it has ended, and waits until its agent is ready.
    pub fn restart(&mut self) -> Result<Pid> {
        self.supervisor = Some(self.spawn(&[])?);
        self.await_first_agent()
    }

    /// Starts a supervisor, with these flags besides.
    fn spawn(&mut self, besides: &[&str]) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.arg("run").args(self.directories());
        match &self.source {
            Source::File => command.arg("--config").arg(self.config()),
            Source::ControlPlane(address) => command.arg("--xds-address").arg(address),
        };
        command.arg("--cgroup").arg(self.sandbox.pods_cgroup().path()).args(&self.flags).args(besides);
        command.envs(self.programs.as_ref().map(|programs| ("EVERMESH_PROGRAMS", programs)));
        self.starts += 1;
        self.wall_clock.iter().for_each(|clock| clock.give(&mut command));
        let (what, log_dir) = (format!("evermesh-{}", self.starts), self.sandbox.log_dir());
        Process::spawn(&what, command, self.sandbox.mesh_placement()?, &log_dir)
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

    /// A supervisor that cannot go on says why, and ends.
    fn await_first_agent(&mut self) -> Result<Pid> {
        wait::until("a ready agent", PATIENCE, || {
            let supervisor = self.supervisor.as_mut()?;
            let ended = supervisor.exited().map(|status| Err(supervisor.ended_early(status)));
            ended.or_else(|| self.ready_agent().map(Ok))
        })?
    }

    /// Waits for a ready agent other than `old`.
    pub fn await_agent(&self, old: Option<Pid>) -> Result<Pid> {
        wait::until("a ready agent", PATIENCE, || self.ready_agent().filter(|&pid| Some(pid) != old))
    }

    /// Waits until the supervisor is in that phase with a process, and tells which that is.
    pub fn await_phase(&self, phase: &str) -> Result<Pid> {
        self.await_phase_of(self.supervisor_pid(), phase)
    }

    /// The same of another supervisor than the one that was there first.
    pub fn await_phase_of(&self, supervisor: Option<Pid>, phase: &str) -> Result<Pid> {
        let state = || self.state_of(supervisor).filter(|state| state.phase == phase);
        let found = || state().and_then(|state| state.agent_pid);
        wait::until(&format!("the phase {phase}"), PATIENCE, || found().map(Pid::from_raw))
    }

    /// What it has pinned.
    pub fn pins(&self) -> PinDir {
        PinDir::new(self.sandbox.bpffs())
    }

    /// Whether the supervisor has a ready agent now.
    pub fn serves(&self) -> bool {
        self.ready_agent().is_some()
    }

    fn ready_agent(&self) -> Option<Pid> {
        let state = self.state().filter(|state| state.phase == "running")?;
        state.agent_pid.map(Pid::from_raw)
    }

    /// The file may be one of an earlier supervisor: only that of the one that runs counts.
    fn state(&self) -> Option<State> {
        self.state_of(self.supervisor_pid())
    }

    fn state_of(&self, supervisor: Option<Pid>) -> Option<State> {
        let state = State::read(&self.sandbox.run_dir())?;
        Some(state).filter(|state| Some(Pid::from_raw(state.pid)) == supervisor)
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
