use std::{collections::BTreeMap, ops::Range, time::Duration};

use nix::errno::Errno;

use super::{
    Event, EventReport, FailureSample, KindReport, Latency, Report, Rules, Stall, Timeline, Void,
    event::Place, rules::exhaustion, stall::Gap,
};
use crate::client::Attempt;

/// How many failures are kept whole.
const SAMPLES: usize = 10;

/// Sums of a run so far.
#[derive(Default)]
pub(super) struct Tally {
    attempts: u64,
    failures: BTreeMap<String, u64>,
    samples: Vec<FailureSample>,
    /// By errno, which has no order of its own.
    shortages: BTreeMap<i32, u64>,
    longest_stall: Stall,
    longest_attempt: Duration,
    undisturbed: Latency,
    disturbed: Latency,
    events: Vec<EventReport>,
    kinds: BTreeMap<String, KindReport>,
    pub(super) void: Vec<Void>,
}

impl Tally {
    pub(super) fn new(events: &[Event]) -> Self {
        let mut tally = Self::default();
        for event in events {
            tally.kinds.entry(event.kind.clone()).or_default().events += 1;
            let event = event.clone();
            tally.events.push(EventReport {
                event,
                overlapping: 0,
                failures: 0,
                longest_stall: Duration::ZERO,
            });
        }
        tally
    }

    pub(super) fn attempt(&mut self, client: &str, attempt: &Attempt, place: &Place) {
        self.attempts += 1;
        self.longest_attempt = self.longest_attempt.max(Duration::from_nanos(attempt.duration_ns()));
        if attempt.outcome.is_failure() {
            self.failure(client, attempt);
        }
        match place {
            Place::During(events) => self.during(attempt, events.clone()),
            Place::Between { after, before } => self.between(attempt, *after, *before),
        }
    }

    fn failure(&mut self, client: &str, attempt: &Attempt) {
        *self.failures.entry(format!("{:?} {}", attempt.kind, attempt.outcome)).or_default() += 1;
        if let Some(errno) = exhaustion(attempt.outcome) {
            *self.shortages.entry(errno as i32).or_default() += 1;
        }
        if self.samples.len() < SAMPLES {
            self.samples.push(FailureSample { client: client.to_owned(), attempt: *attempt });
        }
    }

    fn during(&mut self, attempt: &Attempt, events: Range<usize>) {
        self.disturbed.take(attempt);
        for index in events {
            let failures = u64::from(attempt.outcome.is_failure());
            let event = &mut self.events[index];
            event.overlapping += 1;
            event.failures += failures;
            let kind = self.kind(index);
            kind.failures += failures;
            kind.attempts += 1;
            kind.during.take(attempt);
        }
    }

    fn between(&mut self, attempt: &Attempt, after: Option<usize>, before: Option<usize>) {
        if after.or(before).is_none() {
            self.undisturbed.take(attempt);
        }
        if let Some(index) = after {
            self.kind(index).after.take(attempt);
        }
        if let Some(index) = before {
            self.kind(index).before.take(attempt);
        }
    }

    fn kind(&mut self, index: usize) -> &mut KindReport {
        self.kinds.entry(self.events[index].event.kind.clone()).or_default()
    }

    pub(super) fn stall(&mut self, client: &str, gap: Gap, events: Range<usize>) {
        let duration = gap.duration();
        if duration > self.longest_stall.duration {
            self.longest_stall = Stall { client: client.to_owned(), start_ns: gap.start_ns, duration };
        }
        for event in &mut self.events[events] {
            event.longest_stall = event.longest_stall.max(duration);
        }
    }

    pub(super) fn into_report(mut self, timeline: Timeline, rules: Rules) -> Report {
        self.judge(&timeline, rules);
        for report in &self.events {
            let kind = self.kinds.entry(report.event.kind.clone()).or_default();
            kind.longest_stall = kind.longest_stall.max(report.longest_stall);
        }
        Report {
            attempts: self.attempts,
            failures: self.failures,
            samples: self.samples,
            longest_stall: self.longest_stall,
            longest_attempt: self.longest_attempt,
            undisturbed: self.undisturbed,
            disturbed: self.disturbed,
            events: self.events,
            kinds: self.kinds,
            void: self.void,
        }
    }

    fn judge(&mut self, timeline: &Timeline, rules: Rules) {
        if self.attempts == 0 {
            self.void.push(Void::NoAttempts);
        }
        let shortages = self.shortages.iter().map(|(&errno, &count)| (Errno::from_raw(errno), count));
        self.void.extend(shortages.map(|(errno, count)| Void::Exhausted { errno, count }));
        let seen = self.events.iter().map(|report| report.overlapping);
        for (index, (event, overlapping)) in timeline.events().iter().zip(seen).enumerate() {
            if overlapping < rules.overlap_min {
                self.void.push(Void::EventUnseen { kind: event.kind.clone(), index, overlapping });
            }
        }
    }
}
