use std::{fmt, time::Duration};

use hdrhistogram::Histogram;

use crate::client::{Attempt, Kind, Outcome};

/// Longest duration that is told apart, in nanoseconds: beyond any attempt's time-out.
const LONGEST_NS: u64 = 60_000_000_000;

/// How long new TCP connections took until the server's first word, to two digits. Other attempts are of another order
/// of magnitude, and would tell nothing in the same numbers.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram accepts")]
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("bounds of the histogram are valid"))
    }
}

impl Latency {
    pub(super) fn take(&mut self, attempt: &Attempt) {
        if attempt.kind == Kind::Greeting && attempt.outcome == Outcome::Ok {
            self.0.saturating_record(attempt.duration_ns());
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Half of them took at most this.
    pub fn p50(&self) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(0.50))
    }

    /// All but one in a hundred took at most this.
    pub fn p99(&self) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(0.99))
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count() {
            0 => f.write_str("-"),
            _ => write!(f, "{:.0?} / {:.0?}", self.p50(), self.p99()),
        }
    }
}
