//! One clock for every process of a run.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of `CLOCK_MONOTONIC`: comparable between the processes of one boot.
#[expect(
    clippy::expect_used,
    reason = "CLOCK_MONOTONIC exists on every Linux; there is nothing to report to"
)]
pub fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC is readable");
    now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
}
