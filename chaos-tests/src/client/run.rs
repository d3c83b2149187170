use std::time::Duration;

use super::{Attempt, Family, Kind, Recorder, Target, probe::Probe};
use crate::{Result, clock::now_ns};

/// When a client stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// After this time.
    pub time: Duration,
    /// After this many attempts.
    pub attempts: u64,
}

/// So many failures are told at length, as they come: a data path that is gone fails many thousands of attempts.
const TOLD: usize = 10;

/// Makes attempts at the targets in turn, without pauses, until a bound is reached or `stopped` says so.
pub fn run(
    kind: Kind,
    targets: &[Target],
    bounds: Bounds,
    stopped: impl Fn() -> bool,
    recorder: &mut Recorder,
) -> Result<()> {
    let mut probe = Probe::new(kind);
    let deadline_ns = now_ns().saturating_add(u64::try_from(bounds.time.as_nanos()).unwrap_or(u64::MAX));
    let mut told = 0;
    for (number, target) in (0..bounds.attempts).zip(targets.iter().cycle()) {
        let start_ns = now_ns();
        if start_ns >= deadline_ns || stopped() {
            break;
        }
        let answered = probe.attempt(target.address);
        let end_ns = now_ns();
        let outcome = target.expected.judge(&answered);
        if outcome.is_failure() && told < TOLD {
            told += 1;
            let what =
                answered.map_or_else(|failure| failure.to_string(), |server| format!("{server} answered"));
            eprintln!("attempt {number} at {start_ns} ns, {}: {what}", target.address);
        }
        let family = Family::of(target.address.ip());
        recorder.record(Attempt { start_ns, end_ns, kind, family, outcome })?;
    }
    Ok(())
}
