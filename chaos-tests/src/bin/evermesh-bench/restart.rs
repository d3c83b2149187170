//! Agents with a mesh from a file, killed and started again over what stands in the kernel, and the memory that they take.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Result;
use evermesh_chaos_tests::{binaries, sandbox::Sandbox, wait};
use evermesh_loader::TableSizes;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    agent::{Agent, Memory},
    figures::table,
    fleet::{Fleet, endpoints, room},
    time::ms,
};

const STARTS: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);
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
