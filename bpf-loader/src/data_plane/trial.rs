//! The generation on trial: what is seen of it, and its sentinel.

use std::{
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use evermesh_abi::Counter;
use evermesh_model::{Changes, InvalidSnapshot, Snapshot};
use evermesh_pins::{Enrolment, EnrolmentError, GenerationPins, PinDir, Table, TablesView, ViewError, sys};
use evermesh_sentinel::{Findings, NAME, Sentinel, remove_left_cgroups, service, workload};
use tracing::{debug, warn};

use super::{ApplyError, DataPlane, stand_by::StandBy};
use crate::{
    closed, generation,
    tables::{self, Change},
};

/// Probes of one look at a trial: with eight checks a round, half of the looks see a fault that meets one flow in 300.
const ROUNDS: u32 = 25;

/// The live generation follows another one, which stands by.
#[derive(Debug)]
pub struct Trial {
    pub change: generation::Change,
    /// Frozen maps that the new one brings.
    pub carried: Vec<Table>,
    /// Flows on the generation before, right before the switch.
    pub before: Flows,
    /// The generation before.
    pub stand_by: StandBy,
    /// Since when traffic runs on the new one.
    pub since: Instant,
    /// Sends through the hooks.
    pub sentinel: Option<Sentinel>,
    /// Checks of the sentinel that have passed so far.
    pub passed: u64,
}

/// What was seen of a generation since traffic runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The generation.
    pub generation: u32,
    /// How long traffic has run on it.
    pub age: Duration,
    /// Flows on it.
    pub now: Flows,
    /// Flows on the generation before, right before the switch.
    pub before: Flows,
    /// Stores that it would take to lead the tables to what was applied last.
    pub differences: usize,
    /// What the sentinel has seen; none: there is no sentinel.
    pub sentinels: Option<Findings>,
}

/// Flows to services, as the programs of a generation count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Led to an endpoint.
    pub translated: u64,
    /// Refused, or not remembered in every map that should know them.
    pub failed: u64,
}

impl Flows {
    /// All of them.
    pub(crate) fn all(self) -> u64 {
        self.translated + self.failed
    }

    /// Those that came since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            translated: self.translated.saturating_sub(before.translated),
            failed: self.failed.saturating_sub(before.failed),
        }
    }

    pub(crate) fn counted(pins: &PinDir, generation: u32, of: &GenerationPins) -> Result<Self, ViewError> {
        let counted = TablesView::counters(pins, generation, of)?;
        let sum = |wanted: &[Counter]| {
            let named = Counter::ALL.into_iter().filter(|(counter, _)| wanted.contains(counter));
            let value = |(_, name)| counted.iter().find(|(found, _)| *found == name).map_or(0, |(_, n)| *n);
            named.map(value).sum()
        };
        let failures = [
            Counter::RefusedEmpty,
            Counter::RefusedPort,
            Counter::Hole,
            Counter::OriginsFull,
            Counter::NotMirrored,
        ];
        Ok(Self { translated: sum(&[Counter::Translated]), failed: sum(&failures) })
    }
}

impl Trial {
    /// Has the sentinel send through every hook. One that does not answer any more has seen something.
    pub fn probe(&mut self, pins: &PinDir) -> Option<Findings> {
        let mut findings = self.sentinel.as_mut()?.probe(ROUNDS).unwrap_or_else(|error| {
            let mut findings = Findings::default();
            findings.fail(error.to_string());
            findings
        });
        self.passed += findings.passed;
        findings.passed = self.passed;
        let maps = [pins.frozen_map(Table::Origins), pins.carried_map(self.change.to, Table::Origins)];
        closed::check(&mut findings, &maps.iter().filter_map(|pin| map(pin)).collect::<Vec<_>>());
        Some(findings)
    }
}

fn map(pin: &Path) -> Option<OwnedFd> {
    match sys::object_get(pin) {
        Ok(sys::Object::Map(map)) => Some(map),
        Ok(_) | Err(_) => None,
    }
}

/// The mesh, and the sentinel's service, unless the mesh uses its addresses.
pub fn with_sentinel(snapshot: &Snapshot) -> Result<Snapshot, InvalidSnapshot> {
    let (service, workload) = (service(), workload());
    let changes = Changes {
        services: vec![(service.key.clone(), Some(Arc::new(service)))],
        workloads: vec![(workload.uid.clone(), Some(Arc::new(workload)))],
        policies: None,
    };
    snapshot.with(changes)
}

impl DataPlane {
    /// Whether a generation is on trial.
    pub fn on_trial(&self) -> bool {
        self.trial.is_some()
    }

    /// What was seen of the generation on trial so far, if there is one.
    pub fn report(&mut self) -> Result<Option<Report>, ApplyError> {
        let Some(trial) = &self.trial else { return Ok(None) };
        let (generation, age, before) = (trial.change.to, trial.since.elapsed(), trial.before);
        let now = Flows::counted(&self.config.pins, generation, &self.live.pins)?;
        let differences = self.differences()?;
        let sentinels = self.trial.as_mut().and_then(|trial| trial.probe(&self.config.pins));
        Ok(Some(Report { generation, age, now, before, differences, sentinels }))
    }

    /// Stores that it would take to lead the tables to what was applied last.
    fn differences(&mut self) -> Result<usize, ApplyError> {
        let Some((snapshot, place)) = self.applied.clone() else { return Ok(0) };
        self.live.read_frontends(&self.config.pins)?;
        let mut found = self.live.state(self.config.sizes);
        Ok(tables::plan(&mut found, Change::everything(&self.in_full(&snapshot), &place))?.len())
    }

    /// What the tables should hold.
    pub(super) fn in_full(&self, snapshot: &Snapshot) -> Snapshot {
        let full = self.sentinel_stands.then(|| with_sentinel(snapshot).ok()).flatten();
        full.unwrap_or_else(|| snapshot.clone())
    }

    pub(super) fn post_sentinel(&self) -> Option<Sentinel> {
        let program = self.config.sentinel.as_ref().filter(|_| self.sentinel_stands)?;
        let posted = post_sentinel(&self.config.pins, program, &self.config.cgroup.path);
        posted.inspect_err(|reason| warn!(%reason, "no sentinel watches the new generation")).ok()
    }

    /// Its service goes from the tables. What is left of it there is found by the next audit.
    pub(super) fn dismiss_sentinel(&mut self) {
        forget_sentinel(&self.config.pins, &self.config.cgroup.path);
        self.sentinel_stands = false;
        if let Some((snapshot, place)) = self.applied.clone()
            && let Err(error) = self.rewrite(&snapshot, &place)
        {
            warn!(%error, "the sentinel's service still stands in the tables");
        }
    }
}

/// A sentinel below the hooked cgroup, enrolled.
pub fn post_sentinel(pins: &PinDir, program: &Path, above: &Path) -> Result<Sentinel, String> {
    let sentinel = Sentinel::start(program, above).map_err(|error| error.to_string())?;
    let enrolled = Enrolment::of_agent(pins).add(NAME, &sentinel.network());
    enrolled.map(|_| sentinel).map_err(|error| error.to_string())
}

/// One may be left of an agent that ended on trial, and cgroups of those that were killed.
pub fn forget_sentinel(pins: &PinDir, above: &Path) {
    for cgroup in remove_left_cgroups(above) {
        debug!(cgroup = %cgroup.display(), "a sentinel that is gone had left it");
    }
    match Enrolment::of_agent(pins).remove(NAME) {
        Ok(_) | Err(EnrolmentError::Unknown { .. }) => {}
        Err(error) => debug!(%error, "the sentinel stays enrolled"),
    }
}
