//! What it costs a whole agent to follow a control plane: from the wire to what traffic obeys and back, and a start without it.

use std::{
    ffi::OsStr,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    thread::{self, sleep},
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
use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use crate::{
    agent::{Agent, LOG, Memory},
    caller::Caller,
    control_plane::{PODS_EACH, service, sizes, workload},
    figures::table,
    machine::{Processors, Relay},
    milestones::{self, Way, histogram},
};

/// Changes that a node makes before the next one has its turn.
const TURN: u32 = 100;
/// Between two changes, by chance: shorter and longer than what an agent does after one.
const PAUSE_US: Range<u64> = 500..60_000;
/// Starts of each agent from what is on its disk.
const STARTS: u32 = 9;
const HEADER: [&str; 16] = [
    "agent",
    "services",
    "workloads",
    "changes",
    "wire to kernel p50 us",
    "p99 us",
    "max us",
    "wire to ACK p50 us",
    "p99 us",
    "max us",
    "start from disk p50 ms",
    "max ms",
    "first connection p50 ms",
    "max ms",
    "RSS at rest MB",
    "at most MB",
];
const OF_LEGS: [&str; 7] =
    ["agent", "workloads", "leg", "p50 us", "p99 us", "share %", "of the slowest hundredth %"];
/// What stands where an agent would: the machine alone.
const NO_AGENT: &str = "none, the same wake-ups";
/// What an agent that follows changes tells.
const MILESTONES: &str = "error,milestone=trace";

/// A row for each agent and number of workloads, and one for the machine by itself. They run side by side and take turns.
pub fn measure(
    agents: &[PathBuf],
    workloads: &[u32],
    changes: u32,
    changes_a_second: Option<u32>,
) -> Result<String> {
    let (mut rows, mut of_legs) = (Vec::new(), Vec::new());
    let before = Processors::now()?;
    for &count in workloads {
        let pauses = || Pauses::new(count, changes_a_second);
        let mut baseline = Baseline::new(pauses())?;
        let nodes = agents.iter().map(|agent| Node::new(agent, count, pauses()));
        let mut nodes: Vec<_> = nodes.collect::<Result<_>>()?;
        for first in (0..changes).step_by(TURN as usize) {
            let turn = first..changes.min(first + TURN);
            nodes.iter_mut().try_for_each(|node| node.change(turn.clone()))?;
            baseline.pass(turn)?;
        }
        rows.push(baseline.row(count));
        let mut left = nodes.into_iter().map(Node::end).collect::<Result<Vec<_>>>()?;
        for start in 0..STARTS {
            left.iter_mut().try_for_each(|node| node.start(start))?;
        }
        for Left { program, ways, memory, starts, first_connections, sandbox, caller, .. } in left {
            drop(caller);
            sandbox.close()?;
            let program = program.display().to_string();
            for leg in milestones::rows(&ways)? {
                of_legs.push([program.clone(), count.to_string()].into_iter().chain(leg).collect::<Vec<_>>());
            }
            let (to_kernel, to_ack) =
                (histogram(ways.iter().map(Way::until_kernel))?, histogram(ways.iter().map(Way::until_ack))?);
            let ms = |took: &Histogram<u64>| {
                [0.5, 1.0].map(|it| format!("{:.0}", took.value_at_quantile(it) as f64 / 1e3))
            };
            let mut row = vec![program];
            row.extend([(count / PODS_EACH).to_string(), count.to_string(), ways.len().to_string()]);
            row.extend(quantiles(&to_kernel).into_iter().chain(quantiles(&to_ack)));
            row.extend(ms(&starts).into_iter().chain(ms(&first_connections)).chain(memory.figures()));
            rows.push(row);
        }
    }
    let stolen = Processors::now()?.stolen_since(before);
    let (rows, of_legs) = (table(HEADER, 1, rows), table(OF_LEGS, 3, of_legs));
    Ok(format!("{rows}\nmeanwhile a host took away {stolen:.2} % of the processors' time\n{of_legs}"))
}

/// What lies between a change and the next one.
enum Pauses {
    ByChance(Box<ChaCha8Rng>),
    Every(Duration),
}

impl Pauses {
    fn new(seed: u32, changes_a_second: Option<u32>) -> Self {
        match changes_a_second {
            Some(rate) => Self::Every(Duration::from_secs(1) / rate),
            None => Self::ByChance(Box::new(ChaCha8Rng::seed_from_u64(seed.into()))),
        }
    }

    /// Waits for the moment of the next change. `last`: that of the one before.
    fn pass(&mut self, last: Instant) -> Instant {
        let next = match self {
            Self::ByChance(random) => Instant::now() + Duration::from_micros(random.random_range(PAUSE_US)),
            Self::Every(period) => last + *period,
        };
        sleep(next.saturating_duration_since(Instant::now()));
        next
    }
}

/// What the machine takes for the wake-ups alone, with the same pauses.
struct Baseline {
    relay: Relay,
    took: Histogram<u64>,
    pauses: Pauses,
}

impl Baseline {
    fn new(pauses: Pauses) -> Result<Self> {
        Ok(Self { relay: Relay::new()?, took: Histogram::new(3)?, pauses })
    }

    fn pass(&mut self, turn: Range<u32>) -> Result<()> {
        let mut last = Instant::now();
        for _ in turn {
            last = self.pauses.pass(last);
            self.took.record(us(self.relay.pass()?)?)?;
        }
        Ok(())
    }

    fn row(&self, workloads: u32) -> Vec<String> {
        let names = [NO_AGENT.into(), String::new(), workloads.to_string(), self.took.len().to_string()];
        names.into_iter().chain(quantiles(&self.took)).collect()
    }
}

/// Of microseconds: the median, the 99th percentile, the longest.
fn quantiles(took: &Histogram<u64>) -> [String; 3] {
    [0.5, 0.99, 1.0].map(|it| took.value_at_quantile(it).to_string())
}

/// An agent that follows a control plane of its own.
struct Node {
    agent: Agent,
    program: PathBuf,
    istiod: Istiod,
    caller: Caller,
    sandbox: Sandbox,
    workloads: u32,
    /// Responses before the first change.
    everything: usize,
    pauses: Pauses,
}

impl Node {
    fn new(program: &Path, workloads: u32, pauses: Pauses) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let (istiod, caller) = (Istiod::start(Config::default())?, Caller::new(&sandbox)?);
        istiod.put(Caller::service());
        istiod.put(caller.workload());
        istiod.put_all((0..workloads / PODS_EACH).map(service));
        istiod.put_all((0..workloads).map(|n| workload(n, 0)));
        let address = format!("http://{}", istiod.address());
        let source = control_plane_at(&address);
        let (agent, _) =
            Agent::start(program, &sandbox, &sandbox.bpffs(), source, sizes(workloads), MILESTONES)?;
        let obeyed = |seen: &Seen| seen.until_accepted(ADDRESS).len();
        let seen = istiod.wait_for("everything to be obeyed", |seen| obeyed(seen) > 0)?;
        let (everything, program) = (obeyed(&seen), program.to_owned());
        Ok(Self { agent, program, istiod, caller, sandbox, workloads, everything, pauses })
    }

    /// One workload after the other moves to another address.
    fn change(&mut self, numbers: Range<u32>) -> Result<()> {
        let obeyed = self.everything + numbers.end as usize;
        let mut last = Instant::now();
        for n in numbers {
            last = self.pauses.pass(last);
            self.istiod.put(workload(n * 7 % self.workloads, 1 + n * 7 / self.workloads));
        }
        self.istiod
            .wait_for("the changes to be obeyed", |seen| seen.until_accepted(ADDRESS).len() >= obeyed)?;
        Ok(())
    }

    fn end(self) -> Result<Left> {
        let Self { agent, program, istiod, caller, sandbox, workloads, .. } = self;
        let seen = istiod.seen();
        let accepted = seen.until_accepted(ADDRESS).len() - self.everything;
        let memory = Memory::at_rest(&agent)?;
        agent.end()?;
        fs::remove_dir_all(sandbox.bpffs())?;
        let log = fs::read_to_string(sandbox.dir().join(LOG))?;
        let mut ways = milestones::ways(&seen, &log)?;
        ways.drain(..ways.len().saturating_sub(accepted));
        let [starts, first_connections] = [Histogram::new(3)?, Histogram::new(3)?];
        Ok(Left { program, ways, memory, starts, first_connections, caller, sandbox, workloads })
    }
}

/// What is left of a node when its agent has ended and its control plane is gone.
struct Left {
    program: PathBuf,
    ways: Vec<Way>,
    memory: Memory,
    starts: Histogram<u64>,
    first_connections: Histogram<u64>,
    caller: Caller,
    sandbox: Sandbox,
    workloads: u32,
}

impl Left {
    fn start(&mut self, number: u32) -> Result<()> {
        let bpffs = self.sandbox.bpffs().with_file_name(format!("start-{number}"));
        let sizes = sizes(self.workloads);
        let call = || self.caller.first_connection(&bpffs);
        let (ready, connected) = from_disk(&self.program, &self.sandbox, &bpffs, sizes, call)?;
        // Its programs would still translate beside the next one's.
        fs::remove_dir_all(bpffs)?;
        self.starts.record(us(ready)?)?;
        Ok(self.first_connections.record(us(connected)?)?)
    }
}

fn us(time: Duration) -> Result<u64> {
    Ok(u64::try_from(time.as_micros())?)
}

/// An agent that starts over an empty bpffs and finds no control plane, with what an earlier one left on the disk: from its first
/// moment until it is ready, which is when all tables are full, and until what is done `meanwhile` has come to its end.
pub fn from_disk(
    program: &Path,
    sandbox: &Sandbox,
    bpffs: &Path,
    sizes: TableSizes,
    meanwhile: impl FnOnce() -> Result<Instant> + Send,
) -> Result<(Duration, Duration)> {
    thread::scope(|scope| {
        let began = Instant::now();
        let other = scope.spawn(meanwhile);
        let nowhere = control_plane_at("http://127.0.0.1:1");
        let (agent, took) = Agent::start(program, sandbox, bpffs, nowhere, sizes, "error")?;
        let ended = other.join().ok().context("a thread of the bench panicked")??;
        agent.end()?;
        Ok((took, ended.duration_since(began)))
    })
}

fn control_plane_at(address: &str) -> [&OsStr; 2] {
    ["--xds-address", address].map(OsStr::new)
}
