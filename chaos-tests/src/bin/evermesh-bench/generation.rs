//! What a change of generation takes, beside a start of the data plane where nothing stood before.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use evermesh_chaos_tests::{binaries, sandbox::Sandbox};
use evermesh_loader::{
    Config, DataPlane, TableSizes,
    generation::{Moment, Step, Watch},
};
use evermesh_model::Snapshot;
use evermesh_pins::{PinDir, host};

use crate::{
    figures::table,
    fleet::{Fleet, endpoints},
    time::{median, ms, timed},
};

/// Changes of each kind, of which a third stays, a third is rolled back, and a third is rolled back when the mesh has changed meanwhile.
/// Every figure but that of the first start is a median.
const CHANGES: usize = 15;
/// Workloads that move to another address meanwhile.
const MOVED: u32 = 100;
/// Room for the sentinel's, for the large service, and for workloads that move.
const SPARE: u32 = 512;
const HEADER: [&str; 10] = [
    "services",
    "endpoints",
    "change",
    "first start ms",
    "to commit-ready ms",
    "ratio",
    "links within ms",
    "roll-back to last link ms",
    "mesh changed meanwhile ms",
    "commit ms",
];

/// What changes.
#[derive(Clone, Copy)]
enum Kind {
    /// The room for endpoints: the tables are made anew.
    Tables,
    /// The room for what sockets asked for: what stands there is carried over as well.
    Frozen,
}

/// When links were led on, on one call of the loader.
#[derive(Clone, Default)]
struct Switches(Arc<Mutex<Vec<Instant>>>);

/// What becomes of a change.
enum End<'a> {
    Stays,
    RolledBack,
    /// The mesh has become this one by then.
    RolledBackTo(&'a Snapshot),
}

/// What one change took.
#[derive(Default)]
struct Change {
    ready: Duration,
    links: Duration,
    back: Option<Duration>,
    back_to_another: Option<Duration>,
    commit: Option<Duration>,
}

/// Two rows for each number of services.
pub fn measure(services: &[u32]) -> Result<String> {
    let mut rows = Vec::new();
    for &count in services {
        let mut fleet = Fleet::new(count);
        let snapshot = fleet.snapshot()?;
        let moved = (0..MOVED).try_fold(snapshot.clone(), |mesh, n| mesh.with(fleet.replace(n)))?;
        for kind in [Kind::Tables, Kind::Frozen] {
            rows.push(row(count, kind, &snapshot, &moved)?);
        }
    }
    Ok(table(HEADER, 0, rows).to_string())
}

fn row(services: u32, kind: Kind, snapshot: &Snapshot, moved: &Snapshot) -> Result<Vec<String>> {
    let sandbox = Sandbox::new()?;
    let endpoints = endpoints(services);
    let sizes =
        TableSizes { services: services + SPARE, endpoints: endpoints + SPARE, ..TableSizes::DEFAULT };
    let switches = Switches::default();
    let config = Config {
        sizes,
        sentinel: Some(binaries::find("evermesh-plane")?),
        candidate: true,
        watch: switches.watch(),
        ..Config::new(
            PinDir::new(sandbox.bpffs()),
            host::cgroup(Some(sandbox.pods_cgroup().path()))?,
            sandbox.dir(),
        )
    };
    let (done, first) = timed(|| DataPlane::start(config.clone(), Some(snapshot)).map(drop));
    done?;
    let changes: Vec<Change> = (0..CHANGES)
        .map(|n| {
            let end = match n % 3 {
                0 => End::RolledBack,
                1 => End::RolledBackTo(moved),
                _ => End::Stays,
            };
            let sizes = kind.sizes(sizes, n / 3);
            change(Config { sizes, ..config.clone() }, snapshot, &switches, end)
        })
        .collect::<Result<_>>()?;
    sandbox.close()?;
    let of = |each: fn(&Change) -> Option<Duration>| median(changes.iter().filter_map(each).map(Ok));
    let ready = of(|change| Some(change.ready))?;
    Ok(vec![
        services.to_string(),
        endpoints.to_string(),
        kind.name().to_owned(),
        ms(first),
        ms(ready),
        format!("{:.2}", ready.as_secs_f64() / first.as_secs_f64()),
        ms(of(|change| Some(change.links))?),
        ms(of(|change| change.back)?),
        ms(of(|change| change.back_to_another)?),
        ms(of(|change| change.commit)?),
    ])
}

/// What an agent does that starts over pins of other sizes, up to where the supervisor's word is awaited, and what follows it.
fn change(config: Config, snapshot: &Snapshot, switches: &Switches, end: End<'_>) -> Result<Change> {
    switches.forget();
    let (started, ready) = timed(|| DataPlane::start(config, Some(snapshot)));
    let (mut plane, _) = started?;
    let (first, last) = switches.seen().context("links that were led on")?;
    let change = Change { ready, links: last - first, ..Change::default() };
    switches.forget();
    match end {
        End::Stays => {
            let (done, commit) = timed(|| plane.commit());
            Ok(done.map(|()| Change { commit: Some(commit), ..change })?)
        }
        End::RolledBack => Ok(Change { back: Some(back(&mut plane, switches)?), ..change }),
        End::RolledBackTo(moved) => {
            plane.apply(moved)?;
            Ok(Change { back_to_another: Some(back(&mut plane, switches)?), ..change })
        }
    }
}

/// Up to the last link.
fn back(plane: &mut DataPlane, switches: &Switches) -> Result<Duration> {
    let began = Instant::now();
    plane.roll_back("measured")?;
    let (_, last) = switches.seen().context("links that were led back")?;
    Ok(last - began)
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Tables => "other tables",
            Self::Frozen => "carried over",
        }
    }

    /// Two sizes in turn.
    fn sizes(self, usual: TableSizes, n: usize) -> TableSizes {
        let larger = |size: u32| if n.is_multiple_of(2) { size + size / 8 } else { size + size / 4 };
        match self {
            Self::Tables => TableSizes { endpoints: larger(usual.endpoints), ..usual },
            Self::Frozen => TableSizes { origins: larger(usual.origins), ..usual },
        }
    }
}

impl Switches {
    fn watch(&self) -> Watch {
        let seen = Arc::clone(&self.0);
        Watch::new(move |step, moment| {
            if let (Step::Switch { .. }, Ok(mut seen)) = (step, seen.lock()) {
                seen.extend((moment == Moment::After).then(Instant::now));
            }
        })
    }

    fn forget(&self) {
        self.0.lock().iter_mut().for_each(|seen| seen.clear());
    }

    /// The first and the last.
    fn seen(&self) -> Option<(Instant, Instant)> {
        let seen = self.0.lock().ok()?;
        Some((*seen.first()?, *seen.last()?))
    }
}
