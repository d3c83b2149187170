//! An agent that is measured, without a supervisor.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::net::UnixDatagram,
    path::Path,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use evermesh_chaos_tests::sandbox::Sandbox;
use evermesh_loader::TableSizes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Its log, in its sandbox.
pub const LOG: &str = "agent.log";
const PATIENCE: Duration = Duration::from_secs(60);
/// An agent that has taken or given back less than a hundredth of its memory in so long is at rest.
const REST: Duration = Duration::from_secs(3);

/// The process. Dropped, it is killed.
pub struct Agent(Child);

impl Agent {
    /// With the flag that names its source. Waits until it is ready, and says how long that took.
    pub fn start(
        program: &Path,
        sandbox: &Sandbox,
        bpffs: &Path,
        source: [&OsStr; 2],
        sizes: TableSizes,
        log: &str,
    ) -> Result<(Self, Duration)> {
        let notify = sandbox.dir().join("notify");
        let heard = UnixDatagram::bind(&notify)?;
        heard.set_read_timeout(Some(PATIENCE))?;
        let mut command = Command::new(program);
        command.args(source).arg("--state-dir").arg(sandbox.state_dir());
        command.arg("--bpffs").arg(bpffs).arg("--run-dir").arg(sandbox.run_dir());
        command.arg("--cgroup").arg(sandbox.pods_cgroup().path());
        command.args(["--max-services", &sizes.services.to_string()]);
        command.args(["--max-endpoints", &sizes.endpoints.to_string()]);
        command.env("NOTIFY_SOCKET", &notify).env("RUST_LOG", log);
        let told = sandbox.dir().join(LOG);
        command.stderr(File::create(&told)?);
        let began = Instant::now();
        let agent = Self(command.spawn().with_context(|| format!("start {}", program.display()))?);
        until_ready(&heard).with_context(|| fs::read_to_string(told).unwrap_or_default())?;
        let took = began.elapsed();
        fs::remove_file(notify)?;
        Ok((agent, took))
    }

    pub fn end(self) -> Result<()> {
        self.end_by(Signal::SIGTERM)
    }

    pub fn end_by(mut self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.0.id().cast_signed()), signal)?;
        self.0.wait()?;
        Ok(())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It has ended already where all went well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn until_ready(heard: &UnixDatagram) -> Result<()> {
    let mut said = [0; 4096];
    loop {
        let length = heard.recv(&mut said).context("wait for the agent")?;
        if String::from_utf8_lossy(&said[..length]).contains("READY=1") {
            return Ok(());
        }
    }
}

/// Of an agent, in megabytes.
pub struct Memory {
    at_rest: u64,
    at_most: u64,
}

impl Memory {
    /// Once it neither takes nor gives back any more.
    pub fn at_rest(agent: &Agent) -> Result<Self> {
        let mut last = Self::now(agent)?;
        loop {
            sleep(REST);
            let now = Self::now(agent)?;
            if now.at_rest.abs_diff(last.at_rest) <= now.at_rest / 100 {
                return Ok(now);
            }
            last = now;
        }
    }

    fn now(agent: &Agent) -> Result<Self> {
        let status = fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
        let of = |name: &str| -> Result<u64> {
            let line =
                status.lines().find_map(|line| line.strip_prefix(name)).context("a line of the status")?;
            let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
            Ok(kilobytes * 1024 / 1_000_000)
        };
        Ok(Self { at_rest: of("VmRSS:")?, at_most: of("VmHWM:")? })
    }

    pub fn figures(&self) -> [String; 2] {
        [self.at_rest, self.at_most].map(|megabytes| megabytes.to_string())
    }
}
