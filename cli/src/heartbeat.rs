use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Milliseconds since a moment of `CLOCK_BOOTTIME`; 0: it never was.
pub fn age_ms(moment_ns: u64) -> Option<u64> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?;
    let now_ns = u64::try_from(Duration::from(now).as_nanos()).ok()?;
    (moment_ns != 0).then(|| now_ns.saturating_sub(moment_ns) / 1_000_000)
}
