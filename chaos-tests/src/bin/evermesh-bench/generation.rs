//! What a change of generation takes, beside a start of the data plane where nothing stood before.

use std::{path::PathBuf, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use evermesh_chaos_tests::{
    binaries,
    clock::now_ns,
    sandbox::Sandbox,
    steps::{Course, Span, Steps},
};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::Snapshot;
use evermesh_pins::{PinDir, host};

use crate::{
    figures::table,
    fleet::{Fleet, endpoints},
    time::{median, ms, timed},
};

/// Of each kind so many stay, so many are rolled back, and so many are rolled back when the mesh has changed meanwhile in each of two
/// ways. Every figure but that of the first start is a median.
const OF_EACH_END: u32 = 5;
/// The release of `variants/releases/layouts.patch`: all its maps have other layouts.
const LATER: &str = "evermesh-plane-layouts";
/// Workloads that move to another address meanwhile.
const MOVED: u32 = 100;
/// Services that come meanwhile, without endpoints.
const COME: u32 = 10;
/// Room for the sentinel's, for the large service, and for workloads that move.
const SPARE: u32 = 512;
const HEADER: [&str; 12] = [
    "services",
    "endpoints",
    "change",
    "first start ms",
    "to commit-ready ms",
    "ratio",
    "links within ms",
    "roll-back to last link ms",
    "workloads moved meanwhile ms",
    "services came meanwhile ms",
    "commit ms",
    "links at commit, each pass within ms",
];

/// What changes.
#[derive(Clone, Copy)]
enum Kind {
    /// The room for endpoints: the tables are made anew.
    Tables,
    /// The room for what sockets asked for: what stands there is carried over as well.
    Frozen,
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stays,
    RolledBack,
    /// Workloads have moved by then.
    RolledBackMoved,
    /// Services have come by then.
    RolledBackGrown,
}

impl End {
    const ALL: [Self; 4] = [Self::RolledBack, Self::RolledBackMoved, Self::RolledBackGrown, Self::Stays];
}

/// What one change took.
#[derive(Default)]
struct Change {
    ready: Duration,
    links: Duration,
    back: Option<(End, Duration)>,
    commit: Option<Duration>,
    /// Those of a commit: none, or to the far end of a bridge and from there.
    passes: Vec<Duration>,
}

/// A mesh of so many services, where it stands as a file, and what it becomes meanwhile.
struct Meshes {
    services: u32,
    fleet: Fleet,
    snapshot: Snapshot,
    moved: Snapshot,
    grown: Snapshot,
}

/// Where generations change.
struct Node {
    config: Config,
    steps: Steps,
    first: Duration,
    sandbox: Sandbox,
}

/// Five rows for each number of services: sizes of tables, sizes of frozen maps, and three of another release's layouts.
pub fn measure(services: &[u32]) -> Result<String> {
    let mut rows = Vec::new();
    for &count in services {
        let meshes = Meshes::new(count)?;
        for kind in [Kind::Tables, Kind::Frozen] {
            rows.push(sizes(kind, &meshes)?);
        }
        rows.extend(layouts(&meshes)?);
    }
    Ok(table(HEADER, 0, rows).to_string())
}

/// Changes to other sizes by one release.
fn sizes(kind: Kind, meshes: &Meshes) -> Result<Vec<String>> {
    let node = Node::new(meshes)?;
    let one = |(n, end)| {
        let sizes = kind.sizes(node.config.sizes, n);
        node.change(Config { sizes, ..node.config.clone() }, meshes, end)
    };
    let ends = (0..OF_EACH_END).flat_map(|n| End::ALL.map(|end| (n, end)));
    let changes = ends.map(one).collect::<Result<Vec<_>>>()?;
    let row = node.row(kind.name(), meshes, &changes);
    node.sandbox.close()?;
    Ok(row)
}

/// Changes between this release and one whose maps all have other layouts: to it, its step down, and back to this one.
fn layouts(meshes: &Meshes) -> Result<[Vec<String>; 3]> {
    let node = Node::new(meshes)?;
    meshes.fleet.write(&node.file())?;
    let (mut up, mut stepped_down, mut down) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..OF_EACH_END {
        for then in ["roll-back", "roll-back", "commit"] {
            up.push(node.by_later(then)?);
        }
        stepped_down.push(node.by_later("step-down")?);
        for end in End::ALL {
            down.push(node.change(node.config.clone(), meshes, end)?);
        }
    }
    let rows = [("layouts, up", &up), ("layouts, step-down", &stepped_down), ("layouts, down", &down)];
    let rows = rows.map(|(kind, changes)| node.row(kind, meshes, changes));
    node.sandbox.close()?;
    Ok(rows)
}

impl Meshes {
    fn new(services: u32) -> Result<Self> {
        let (fleet, mut moving, grown) =
            (Fleet::new(services), Fleet::new(services), Fleet::new(services + COME));
        let snapshot = fleet.snapshot()?;
        let moved = (0..MOVED).try_fold(snapshot.clone(), |mesh, n| mesh.with(moving.replace(n)))?;
        let services_that_came = grown.services.iter().skip(fleet.services.len()).cloned();
        let all = fleet.services.iter().cloned().chain(services_that_came);
        let grown = Snapshot::of_shared(all, fleet.workloads.iter().cloned(), [])?;
        Ok(Self { services, fleet, snapshot, moved, grown })
    }
}

impl Node {
    /// The first generation stands.
    fn new(meshes: &Meshes) -> Result<Self> {
        let (sandbox, steps) = (Sandbox::new()?, Steps::default());
        let config = Config {
            sizes: TableSizes {
                services: meshes.services + SPARE,
                endpoints: endpoints(meshes.services) + SPARE,
                ..TableSizes::DEFAULT
            },
            sentinel: Some(binaries::find("evermesh-plane")?),
            candidate: true,
            watch: steps.watch(),
            ..Config::new(
                PinDir::new(sandbox.bpffs()),
                host::cgroup(Some(sandbox.pods_cgroup().path()))?,
                sandbox.dir(),
            )
        };
        let (done, first) = timed(|| DataPlane::start(config.clone(), Some(&meshes.snapshot)).map(drop));
        done?;
        Ok(Self { config, steps, first, sandbox })
    }

    /// What an agent does that starts over other pins, up to where the supervisor's word is awaited, and what follows it.
    fn change(&self, config: Config, meshes: &Meshes, end: End) -> Result<Change> {
        let _earlier = self.steps.take();
        let (started, ready) = timed(|| DataPlane::start(config, Some(&meshes.snapshot)));
        let (mut plane, started) = started?;
        let passes = self.steps.take().passes;
        let links = passes.first().with_context(|| format!("no links were led on: {started:?}"))?.duration();
        let change = Change { ready, links, ..Change::default() };
        let meanwhile = match end {
            End::Stays => {
                let (done, commit) = timed(|| plane.commit());
                done?;
                let passes = durations(&self.steps.take().passes);
                return Ok(Change { commit: Some(commit), passes, ..change });
            }
            End::RolledBack => &meshes.snapshot,
            End::RolledBackMoved => &meshes.moved,
            End::RolledBackGrown => &meshes.grown,
        };
        plane.apply(meanwhile)?;
        Ok(Change { back: Some((end, self.back(&mut plane)?)), ..change })
    }

    /// Up to the last link.
    fn back(&self, plane: &mut DataPlane) -> Result<Duration> {
        let start_ns = now_ns();
        plane.roll_back("measured")?;
        let last = *self.steps.take().passes.last().context("links that were led back")?;
        Ok(Span { start_ns, ..last }.duration())
    }

    /// The same by a process of the later release, which starts over what stands.
    fn by_later(&self, then: &str) -> Result<Change> {
        let TableSizes { services, endpoints, .. } = self.config.sizes;
        let mut command = Command::new(binaries::find(LATER)?);
        command.arg("--bpffs").arg(self.config.pins.root()).arg("--cgroup").arg(&self.config.cgroup.path);
        command.arg("--state-dir").arg(self.sandbox.dir()).arg("--config").arg(self.file());
        command.args(["--services", &services.to_string(), "--endpoints", &endpoints.to_string()]);
        let output = command.args(["--sentinel", "--then", then]).output()?;
        ensure!(output.status.success(), "{LATER}: {}", String::from_utf8_lossy(&output.stderr));
        Change::of(then, &Course::read(&String::from_utf8_lossy(&output.stdout))?)
    }

    /// Where the mesh is described.
    fn file(&self) -> PathBuf {
        self.sandbox.dir().join("mesh.yaml")
    }

    /// What was not measured is left out.
    fn row(&self, kind: &str, meshes: &Meshes, changes: &[Change]) -> Vec<String> {
        let of = |each: &dyn Fn(&Change) -> Option<Duration>| {
            median(changes.iter().filter_map(each).map(Ok)).map_or("-".to_owned(), ms)
        };
        let back = |end| of(&|change: &Change| change.back.filter(|it| it.0 == end).map(|it| it.1));
        let ready = median(changes.iter().map(|change| Ok(change.ready))).unwrap_or_default();
        let passes = changes.iter().map(|change| change.passes.len()).max().unwrap_or_default();
        let passes = (0..passes).map(|n| of(&|change| change.passes.get(n).copied()));
        vec![
            meshes.services.to_string(),
            endpoints(meshes.services).to_string(),
            kind.to_owned(),
            ms(self.first),
            ms(ready),
            format!("{:.2}", ready.as_secs_f64() / self.first.as_secs_f64()),
            of(&|change| Some(change.links)),
            back(End::RolledBack),
            back(End::RolledBackMoved),
            back(End::RolledBackGrown),
            of(&|change| change.commit),
            passes.collect::<Vec<_>>().join(", "),
        ]
    }
}

impl Change {
    fn of(then: &str, course: &Course) -> Result<Self> {
        let Course { began_ns, ready_ns, ended_ns, .. } = *course;
        let span = |start_ns, end_ns| Span { start_ns, end_ns }.duration();
        let (first, others) = course.steps.passes.split_first().context("links that were led on")?;
        let change = Self { ready: span(began_ns, ready_ns), links: first.duration(), ..Self::default() };
        if then == "roll-back" {
            let last = others.last().context("links that were led back")?;
            return Ok(Self { back: Some((End::RolledBack, span(ready_ns, last.end_ns))), ..change });
        }
        Ok(Self { commit: Some(span(ready_ns, ended_ns)), passes: durations(others), ..change })
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Tables => "other tables",
            Self::Frozen => "carried over",
        }
    }

    /// Larger each time: tables shrink no further than what is in use allows, which may be not at all.
    fn sizes(self, usual: TableSizes, n: u32) -> TableSizes {
        let larger = |size: u32| size + size / 16 * (n + 1);
        match self {
            Self::Tables => TableSizes { endpoints: larger(usual.endpoints), ..usual },
            Self::Frozen => TableSizes { origins: larger(usual.origins), ..usual },
        }
    }
}

fn durations(spans: &[Span]) -> Vec<Duration> {
    spans.iter().map(|span| span.duration()).collect()
}
