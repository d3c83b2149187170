use std::{collections::BTreeMap, fmt, time::Duration};

use super::{Event, Latency, Stall, Void};
use crate::client::Attempt;

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// All attempts, the failed ones among them.
    pub attempts: u64,
    /// How often attempts failed, by outcome.
    pub failures: BTreeMap<String, u64>,
    /// The first failures, for whoever looks for the cause.
    pub samples: Vec<FailureSample>,
    /// The longest time that any client completed nothing.
    pub longest_stall: Stall,
    /// The longest single attempt.
    pub longest_attempt: Duration,
    /// Connections that no event is near.
    pub undisturbed: Latency,
    /// Connections that overlap any event.
    pub disturbed: Latency,
    /// Every event, in order.
    pub events: Vec<EventReport>,
    /// The events summed up by kind.
    pub kinds: BTreeMap<String, KindReport>,
    /// Why the run proves nothing; empty if it counts.
    pub void: Vec<Void>,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureSample {
    /// Whose.
    pub client: String,
    /// Which.
    pub attempt: Attempt,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventReport {
    /// Which.
    pub event: Event,
    /// How many attempts overlap it.
    pub overlapping: u64,
    /// How many of those failed.
    pub failures: u64,
    /// The longest stall that overlaps it.
    pub longest_stall: Duration,
}

/// All events of a kind.
#[derive(Clone, Debug, Default)]
pub struct KindReport {
    /// How many.
    pub events: u64,
    /// How many attempts overlap one of them.
    pub attempts: u64,
    /// How many of those failed.
    pub failures: u64,
    /// The longest stall that overlaps one of them.
    pub longest_stall: Duration,
    /// Connections shortly before.
    pub before: Latency,
    /// Connections that overlap.
    pub during: Latency,
    /// Connections shortly after.
    pub after: Latency,
}

/// What a run proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Traffic did not notice.
    Clean,
    /// Traffic noticed.
    Failed,
    /// Nothing.
    Void,
}

impl Report {
    /// A void run is neither clean nor failed, whatever else was seen.
    pub fn verdict(&self) -> Verdict {
        match (self.void.is_empty(), self.failures.is_empty()) {
            (false, _) => Verdict::Void,
            (true, false) => Verdict::Failed,
            (true, true) => Verdict::Clean,
        }
    }

    /// How many attempts failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// How many attempts, of any kind, failed with that outcome.
    pub fn failures_with(&self, outcome: &str) -> u64 {
        self.failures.iter().filter(|(what, _)| what.ends_with(outcome)).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = self.verdict();
        writeln!(f, "{verdict:?}: {} attempts, {} events", self.attempts, self.events.len())?;
        writeln!(f, "longest stall {:?} ({})", self.longest_stall.duration, self.longest_stall.client)?;
        self.void.iter().try_for_each(|void| writeln!(f, "void: {void}"))?;
        self.failures.iter().try_for_each(|(outcome, count)| writeln!(f, "failed: {count} x {outcome}"))?;
        self.samples.iter().try_for_each(|sample| writeln!(f, "  {sample}"))
    }
}

impl fmt::Display for FailureSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, attempt } = self;
        let Attempt { start_ns, kind, family, outcome, .. } = attempt;
        let duration = Duration::from_nanos(attempt.duration_ns());
        write!(f, "{client}: {kind:?} {family:?} at {start_ns} ns: {outcome} after {duration:?}")
    }
}
