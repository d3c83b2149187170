//! A run directory with supervisors in it.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use evermesh_handover::{
    Client, RunDir,
    message::{Phase, State},
};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::scripted_agent;

/// The longest that anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(25);

/// An agent that is ready and lives.
pub const GOOD: &str = "say READY=1\nlive";

/// A directory for supervisors and their scripted agents.
pub struct Rig {
    dir: tempfile::TempDir,
    log_count: std::cell::Cell<u32>,
}

/// A supervisor that is killed with the rig, if it has not ended.
pub struct Supervisor {
    child: Child,
    log: PathBuf,
}

impl Rig {
    /// With an agent that does what `script` says.
    pub fn new(script: &str) -> Self {
        let rig = Self { dir: tempfile::tempdir().unwrap(), log_count: 0.into() };
        rig.script(script);
        rig
    }

    /// What the next agents do.
    pub fn script(&self, script: &str) {
        let aside = self.path("script.new");
        fs::write(&aside, script).unwrap();
        fs::rename(aside, self.path("script")).unwrap();
    }

    /// A file of the rig.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn run_dir(&self) -> RunDir {
        RunDir::new(self.path("run"))
    }

    /// A supervisor over the scripted agent, with a short watchdog.
    pub fn start(&self, options: &[&str]) -> Supervisor {
        let program = std::env::current_exe().unwrap();
        let agent = ["--watchdog-ms", "400", "--agent", program.to_str().unwrap()];
        let mut command = self.command(&[&agent, options].concat());
        command.arg("--").args(scripted_agent::ARGS);
        self.spawn(command)
    }

    /// The supervisor of this rig, with nothing but its directories.
    pub fn command(&self, options: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_evermesh-supervisor").as_ref(), options)
    }

    /// The same with another supervisor's program.
    pub fn command_of(&self, program: &Path, options: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--run-dir")
            .arg(self.path("run"))
            .arg("--state-dir")
            .arg(self.path("state"))
            .args(options);
        command.env(scripted_agent::DIR, self.dir.path()).env_remove("RUST_LOG");
        command
    }

    /// Starts it with its stderr in a file.
    pub fn spawn(&self, mut command: Command) -> Supervisor {
        self.log_count.set(self.log_count.get() + 1);
        let log = self.path(&format!("log-{}", self.log_count.get()));
        command.stdout(Stdio::null()).stderr(File::create(&log).unwrap());
        Supervisor { child: command.spawn().unwrap(), log }
    }

    /// What the state file says, once that is so.
    pub fn until_state(&self, what: &str, is_so: impl Fn(&State) -> bool) -> State {
        until(what, || State::read(&self.run_dir()).ok().filter(&is_so))
    }

    /// The state once the supervisor with that pid has a ready agent.
    pub fn until_running(&self, supervisor: &Supervisor) -> State {
        self.until_state("running", |state| state.phase == Phase::Running && state.pid == supervisor.pid())
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.run_dir(), PATIENCE).unwrap()
    }

    /// The agents that have started, in order.
    pub fn starts(&self) -> usize {
        lines(&self.path("starts"))
    }

    /// How many agents lived beside another one.
    pub fn overlaps(&self) -> usize {
        lines(&self.path("overlaps"))
    }
}

impl Supervisor {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill(pid(self.pid()), signal).unwrap();
    }

    /// Kills it and waits for its end.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its exit code, when it has ended by itself.
    pub fn ended(&mut self) -> Option<i32> {
        until("the supervisor's end", || self.child.try_wait().unwrap()).code()
    }

    /// What it has written to stderr, without the lines of the log.
    pub fn words(&self) -> String {
        let log = self.log();
        let words: Vec<_> = log.lines().filter(|line| !line.starts_with("20")).collect();
        words.join("\n")
    }

    /// What it has written to stderr.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _: io::Result<ExitStatus> = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Polls for a condition that nobody announces.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(found) = found() {
            return found;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("in vain: {what}");
}

/// Waits until a process is gone, or at least has ended.
pub fn until_gone(process: u32) {
    until("the process's end", || {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok();
        let ended =
            stat.is_none_or(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])));
        ended.then_some(())
    });
}

/// Sends a signal to an agent.
pub fn signal_agent(state: &State, signal: Signal) -> Result<(), Errno> {
    kill(pid(state.agent_pid.unwrap()), signal)
}

fn pid(process: u32) -> Pid {
    Pid::from_raw(process.cast_signed())
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}
