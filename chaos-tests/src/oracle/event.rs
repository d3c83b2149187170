use std::ops::Range;

use crate::{Error, Result, client::Attempt, clock::now_ns};

/// Something done to the mesh, from the first moment it could be felt to the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What was done; events of one kind are summed up.
    pub kind: String,
    /// First moment, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// Last moment.
    pub end_ns: u64,
}

impl Event {
    /// What `act` does, from its beginning to its end.
    pub fn of(kind: &str, act: impl FnOnce() -> Result<()>) -> Result<Self> {
        let start_ns = now_ns();
        act()?;
        Ok(Self { kind: kind.into(), start_ns, end_ns: now_ns() })
    }

    /// The same of something that does not fail.
    pub fn during(kind: &str, act: impl FnOnce()) -> Self {
        let start_ns = now_ns();
        act();
        Self { kind: kind.into(), start_ns, end_ns: now_ns() }
    }
}

/// The events of a run in their order; no two overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(Vec<Event>);

/// Where an attempt lies among the events, by their indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It overlaps these, at least one.
    During(Range<usize>),
    /// It overlaps none, and is near these.
    Between { after: Option<usize>, before: Option<usize> },
}

impl Timeline {
    /// Refuses events that run backwards or overlap.
    pub fn new(events: Vec<Event>) -> Result<Self> {
        let backwards = events.iter().find(|e| e.end_ns < e.start_ns).map(|e| (e, e));
        let overlap = events.array_windows().find(|[a, b]| b.start_ns < a.end_ns).map(|[a, b]| (a, b));
        match backwards.or(overlap) {
            Some((a, b)) => Err(Error::EventOrder { first: a.kind.clone(), second: b.kind.clone() }),
            None => Ok(Self(events)),
        }
    }

    /// In their order.
    pub fn events(&self) -> &[Event] {
        &self.0
    }

    /// Indexes of the events that share at least a moment with this time.
    pub(super) fn overlapping(&self, start_ns: u64, end_ns: u64) -> Range<usize> {
        let first = self.0.partition_point(|event| event.end_ns < start_ns);
        let last = self.0.partition_point(|event| event.start_ns <= end_ns);
        first..last.max(first)
    }

    /// Near is what lies at most `window_ns` from an event.
    pub(super) fn place(&self, attempt: &Attempt, window_ns: u64) -> Place {
        let during = self.overlapping(attempt.start_ns, attempt.end_ns);
        if !during.is_empty() {
            return Place::During(during);
        }
        let next = during.start;
        let near_next = |e: &Event| e.start_ns - attempt.end_ns <= window_ns;
        let near_last = |e: &Event| attempt.start_ns - e.end_ns <= window_ns;
        let last = next.checked_sub(1);
        Place::Between {
            after: last.filter(|&i| near_last(&self.0[i])),
            before: Some(next).filter(|&i| self.0.get(i).is_some_and(near_next)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Family, Kind, Outcome};

    fn timeline(spans: &[(u64, u64)]) -> Result<Timeline> {
        let event = |&(start_ns, end_ns): &(u64, u64)| Event { kind: "kill".into(), start_ns, end_ns };
        Timeline::new(spans.iter().map(event).collect())
    }

    fn place(start_ns: u64, end_ns: u64) -> Place {
        let (kind, family, outcome) = (Kind::Udp, Family::V4, Outcome::Ok);
        let attempt = Attempt { start_ns, end_ns, kind, family, outcome };
        timeline(&[(100, 200), (300, 400)]).unwrap().place(&attempt, 50)
    }

    #[test]
    fn a_shared_moment_is_an_overlap() {
        assert_eq!(place(90, 100), Place::During(0..1));
        assert_eq!(place(120, 130), Place::During(0..1));
        assert_eq!(place(200, 210), Place::During(0..1));
        assert_eq!(place(90, 500), Place::During(0..2));
    }

    #[test]
    fn what_lies_between_is_near_or_far() {
        assert_eq!(place(60, 90), Place::Between { after: None, before: Some(0) });
        assert_eq!(place(10, 20), Place::Between { after: None, before: None });
        assert_eq!(place(240, 260), Place::Between { after: Some(0), before: Some(1) });
        assert_eq!(place(410, 420), Place::Between { after: Some(1), before: None });
    }

    #[test]
    fn disorder_is_refused() {
        assert!(timeline(&[(200, 100)]).is_err());
        assert!(timeline(&[(100, 200), (150, 300)]).is_err());
        assert!(timeline(&[(100, 200), (200, 300)]).is_ok());
    }
}
