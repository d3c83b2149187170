use std::time::Duration;

use crate::client::Attempt;

/// A time during which a client completed nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stall {
    /// The client.
    pub client: String,
    /// When it last had completed something, nanoseconds of `CLOCK_MONOTONIC`.
    pub start_ns: u64,
    /// How long until it did so again.
    pub duration: Duration,
}

/// From one completion of a client to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub start_ns: u64,
    pub end_ns: u64,
}

impl Gap {
    pub(super) fn duration(self) -> Duration {
        Duration::from_nanos(self.end_ns.saturating_sub(self.start_ns))
    }
}

/// Follows one client's completions.
#[derive(Default)]
pub(super) struct Gaps {
    last_ns: Option<u64>,
}

impl Gaps {
    /// The gap that `attempt` ends; the first one begins with it.
    pub(super) fn next(&mut self, attempt: &Attempt) -> Gap {
        let start_ns = self.last_ns.replace(attempt.end_ns).unwrap_or(attempt.start_ns);
        Gap { start_ns, end_ns: attempt.end_ns }
    }
}
