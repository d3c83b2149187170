//! What it costs a whole agent to follow a control plane: from the wire to what traffic obeys and back, and a start without it.

use std::{
    fs,
    ops::Range,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use evermesh_chaos_tests::{
    istiod::{Config, Istiod, Seen},
    sandbox::Sandbox,
};
use evermesh_loader::TableSizes;
use evermesh_proto::workload::ADDRESS;
use hdrhistogram::Histogram;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use crate::{
    control_plane::{PODS_EACH, service, sizes, workload},
    figures::table,
};

/// Changes that a node makes before the next one has its turn.
const TURN: u32 = 100;
/// Between two changes, by chance: shorter and longer than what an agent does after one.
const PAUSE_US: Range<u64> = 500..60_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// Starts of each agent from what is on its disk.
const STARTS: u32 = 9;
const HEADER: [&str; 9] = [
    "agent",
    "services",
    "workloads",
    "changes",
    "wire to ACK p50 us",
    "p99 us",
    "max us",
    "start from disk p50 ms",
    "max ms",
];

/// A row for each agent and number of workloads. The agents run side by side and take turns.
pub fn measure(agents: &[PathBuf], workloads: &[u32], changes: u32) -> Result<String> {
    let mut rows = Vec::new();
    for &count in workloads {
        let mut nodes: Vec<_> = agents.iter().map(|agent| Node::new(agent, count)).collect::<Result<_>>()?;
        for first in (0..changes).step_by(TURN as usize) {
            let turn = first..changes.min(first + TURN);
            nodes.iter_mut().try_for_each(|node| node.change(turn.clone()))?;
        }
        let mut left = nodes.into_iter().map(Node::end).collect::<Result<Vec<_>>>()?;
        for start in 0..STARTS {
            left.iter_mut().try_for_each(|node| node.start(start))?;
        }
        for Left { program, latency, starts, sandbox, .. } in left {
            sandbox.close()?;
            let counts = [count / PODS_EACH, count].map(|count| count.to_string());
            let us = |quantile| latency.value_at_quantile(quantile).to_string();
            let ms = |quantile| format!("{:.0}", starts.value_at_quantile(quantile) as f64 / 1e3);
            let found = [latency.len().to_string(), us(0.5), us(0.99), us(1.0), ms(0.5), ms(1.0)];
            rows.push(
                [program.display().to_string()].into_iter().chain(counts).chain(found).collect::<Vec<_>>(),
            );
        }
    }
    Ok(table(HEADER, HEADER.len(), rows).to_string())
}

/// An agent that follows a control plane of its own.
struct Node {
    agent: Agent,
    program: PathBuf,
    istiod: Istiod,
    sandbox: Sandbox,
    workloads: u32,
    /// Responses before the first change.
    everything: usize,
    pauses: ChaCha8Rng,
}

impl Node {
    fn new(program: &Path, workloads: u32) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let istiod = Istiod::start(Config::default())?;
        istiod.put_all((0..workloads / PODS_EACH).map(service));
        istiod.put_all((0..workloads).map(|n| workload(n, 0)));
        let address = format!("http://{}", istiod.address());
        let (agent, _) = Agent::start(program, &sandbox, &sandbox.bpffs(), &address, sizes(workloads))?;
        let obeyed = |seen: &Seen| seen.until_accepted(ADDRESS).len();
        let seen = istiod.wait_for("everything to be obeyed", |seen| obeyed(seen) > 0)?;
        let (everything, pauses) = (obeyed(&seen), ChaCha8Rng::seed_from_u64(workloads.into()));
        Ok(Self { agent, program: program.to_owned(), istiod, sandbox, workloads, everything, pauses })
    }

    /// One workload after the other moves to another address.
    fn change(&mut self, numbers: Range<u32>) -> Result<()> {
        let last = self.everything + numbers.end as usize;
        for n in numbers {
            sleep(Duration::from_micros(self.pauses.random_range(PAUSE_US)));
            self.istiod.put(workload(n * 7 % self.workloads, 1 + n * 7 / self.workloads));
        }
        self.istiod
            .wait_for("the changes to be obeyed", |seen| seen.until_accepted(ADDRESS).len() >= last)?;
        Ok(())
    }

    fn end(self) -> Result<Left> {
        let Self { agent, program, istiod, sandbox, .. } = self;
        let (mut latency, starts) = (Histogram::new(3)?, Histogram::new(3)?);
        for took in istiod.seen().until_accepted(ADDRESS).into_iter().skip(self.everything) {
            latency.record(us(took)?)?;
        }
        agent.end()?;
        Ok(Left { program, latency, starts, sandbox, workloads: self.workloads })
    }
}

/// What is left of a node when its agent has ended and its control plane is gone.
struct Left {
    program: PathBuf,
    latency: Histogram<u64>,
    starts: Histogram<u64>,
    sandbox: Sandbox,
    workloads: u32,
}

impl Left {
    fn start(&mut self, number: u32) -> Result<()> {
        let bpffs = self.sandbox.bpffs().with_file_name(format!("start-{number}"));
        let took = from_disk(&self.program, &self.sandbox, &bpffs, sizes(self.workloads))?;
        Ok(self.starts.record(us(took)?)?)
    }
}

fn us(time: Duration) -> Result<u64> {
    Ok(u64::try_from(time.as_micros())?)
}

/// An agent that starts over an empty bpffs and finds no control plane, with what an earlier one left on the disk: from its first
/// moment until it is ready, which is when all tables are full.
pub fn from_disk(program: &Path, sandbox: &Sandbox, bpffs: &Path, sizes: TableSizes) -> Result<Duration> {
    let (agent, took) = Agent::start(program, sandbox, bpffs, "http://127.0.0.1:1", sizes)?;
    agent.end()?;
    Ok(took)
}

/// The process. Dropped, it is killed.
struct Agent(Child);

impl Agent {
    /// Waits until it is ready, and says how long that took.
    fn start(
        program: &Path,
        sandbox: &Sandbox,
        bpffs: &Path,
        address: &str,
        sizes: TableSizes,
    ) -> Result<(Self, Duration)> {
        let notify = sandbox.dir().join("notify");
        let heard = UnixDatagram::bind(&notify)?;
        heard.set_read_timeout(Some(PATIENCE))?;
        let mut command = Command::new(program);
        command.args(["--xds-address", address, "--state-dir"]).arg(sandbox.state_dir());
        command.arg("--bpffs").arg(bpffs).arg("--run-dir").arg(sandbox.run_dir());
        command.arg("--cgroup").arg(sandbox.pods_cgroup().path());
        command.args(["--max-services", &sizes.services.to_string()]);
        command.args(["--max-endpoints", &sizes.endpoints.to_string()]);
        command.env("NOTIFY_SOCKET", &notify).env("RUST_LOG", "error");
        let began = Instant::now();
        let agent = Self(command.spawn().with_context(|| format!("start {}", program.display()))?);
        until_ready(&heard)?;
        let took = began.elapsed();
        fs::remove_file(notify)?;
        Ok((agent, took))
    }

    fn end(mut self) -> Result<()> {
        kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM)?;
        self.0.wait()?;
        Ok(())
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
