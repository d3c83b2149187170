//! How far a change has come on its way from the wire to the kernel and back: told in the log to those who measure.

use std::fmt;

use nix::time::{ClockId, clock_gettime};
use tracing::trace;

/// What a change passes, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Milestone {
    /// A response was read from the wire.
    Heard,
    /// The mesh that follows from it is offered to the agent.
    Offered,
    /// The data plane's thread has it.
    Begun,
    /// Traffic obeys it.
    Obeyed,
    /// The answer is given to the connection.
    Answered,
}

impl Milestone {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Heard, Self::Offered, Self::Begun, Self::Obeyed, Self::Answered];
    /// The log's name for them: with `milestone=trace` in its filter they are told, otherwise they cost nothing.
    pub const TARGET: &str = "milestone";

    /// Says that the change that is on its way has come so far, and when: nanoseconds of CLOCK_MONOTONIC.
    pub fn pass(self) {
        trace!(target: Milestone::TARGET, at_ns = now_ns(), "{self}");
    }
}

impl fmt::Display for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heard => "heard",
            Self::Offered => "offered",
            Self::Begun => "begun",
            Self::Obeyed => "obeyed",
            Self::Answered => "answered",
        })
    }
}

/// Every Linux has that clock.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or_else(|_| Default::default(), Into::into);
    u64::try_from(std::time::Duration::as_nanos(&now)).unwrap_or(u64::MAX)
}
