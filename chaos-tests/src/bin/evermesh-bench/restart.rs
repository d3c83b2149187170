//! Agents with a mesh from a file, killed and started again over what stands in the kernel, and the memory that they take.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result};
use evermesh_chaos_tests::{binaries, sandbox::Sandbox, wait};
use evermesh_loader::TableSizes;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    agent::Agent,
    figures::table,
    fleet::{Fleet, endpoints, room},
    time::ms,
};

const STARTS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);
/// An agent that has taken or given back less than a hundredth of its memory in so long is at rest.
const REST: Duration = Duration::from_secs(3);
const HEADER: [&str; 10] = [
    "services",
    "endpoints",
    "first start ms",
    "RSS at rest MB",
    "at most MB",
    "ready after SIGKILL p50 ms",
    "max ms",
    "writes",
    "RSS at rest MB",
    "at most MB",
];

/// One row for each number of services.
pub fn measure(services: &[u32]) -> Result<String> {
    let rows = services.iter().map(|&count| row(count)).collect::<Result<Vec<_>>>()?;
    Ok(table(HEADER, 0, rows).to_string())
}

fn row(count: u32) -> Result<Vec<String>> {
    let node = Node::new(count)?;
    let (agent, first) = node.start()?;
    let after_first = Memory::at_rest(&agent)?;
    let (mut agent, mut starts, mut writes) = (agent, Vec::new(), 0);
    for _ in 0..STARTS {
        node.until_laid()?;
        agent.end_by(Signal::SIGKILL)?;
        let (next, took) = node.start()?;
        starts.push(took);
        writes += node.writes()?;
        agent = next;
    }
    let after_restart = Memory::at_rest(&agent)?;
    agent.end()?;
    node.sandbox.close()?;
    starts.sort_unstable();
    let [half, most] =
        [starts.get(STARTS / 2), starts.last()].map(|took| took.copied().map_or_else(String::new, ms));
    let counts = [count, endpoints(count)].map(|it| it.to_string());
    let row = counts.into_iter().chain([ms(first)]).chain(after_first.figures());
    Ok(row.chain([half, most, writes.to_string()]).chain(after_restart.figures()).collect())
}

/// An agent's node, with a mesh in a file.
struct Node {
    sandbox: Sandbox,
    agent: PathBuf,
    mesh: PathBuf,
    sizes: TableSizes,
}

impl Node {
    fn new(count: u32) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let (agent, mesh) = (binaries::find("evermesh-agent")?, sandbox.dir().join("mesh.yaml"));
        Fleet::new(count).write(&mesh)?;
        Ok(Self { sandbox, agent, mesh, sizes: room(count, 0) })
    }

    fn start(&self) -> Result<(Agent, Duration)> {
        let source = ["--config".as_ref(), self.mesh.as_os_str()];
        Agent::start(&self.agent, &self.sandbox, &self.sandbox.bpffs(), source, self.sizes, "error")
    }

    /// Waits until the next agent can tell that what stands is right.
    fn until_laid(&self) -> Result<()> {
        let laid = self.sandbox.state_dir().join("laid");
        Ok(wait::until("what was laid to be noted", PATIENCE, || laid.exists().then_some(()))?)
    }

    /// What the agent has written since it started, all of its mesh compared: it does not answer before.
    fn writes(&self) -> Result<u64> {
        let cli = binaries::find("evermesh")?;
        let answer = || {
            let status = self.status(&cli).ok().filter(|status| status["agent"]["state"] == "running")?;
            status["data_path"]["writes"].as_u64()
        };
        Ok(wait::until("the agent to have read its mesh", PATIENCE, answer)?)
    }

    fn status(&self, cli: &Path) -> Result<Value> {
        let mut status = Command::new(cli);
        status.args(["status", "--output", "json", "--run-dir"]).arg(self.sandbox.run_dir());
        status.arg("--bpffs").arg(self.sandbox.bpffs()).arg("--state-dir").arg(self.sandbox.state_dir());
        Ok(serde_json::from_slice(&status.output()?.stdout)?)
    }
}

/// Of an agent, in megabytes.
struct Memory {
    at_rest: u64,
    at_most: u64,
}

impl Memory {
    fn at_rest(agent: &Agent) -> Result<Self> {
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

    fn figures(&self) -> [String; 2] {
        [self.at_rest, self.at_most].map(|megabytes| megabytes.to_string())
    }
}
