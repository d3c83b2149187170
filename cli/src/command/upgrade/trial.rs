//! Waiting for the end of a trial.

use std::{
    thread,
    time::{Duration, Instant},
};

use evermesh_handover::{Client, ClientError, message::Releases};
use evermesh_upgrader::release::{Digest, Ledger, LedgerFile, Outcome, Store};

use super::UpgradeError;
use crate::args::Directories;

const EVERY: Duration = Duration::from_millis(100);
const ANSWER: Duration = Duration::from_secs(10);
/// Longer than a start, a gate and an end may take with the usual times, three times over, and the pauses between.
const WAIT_MAX: Duration = Duration::from_mins(10);

/// Returns when the trial has ended with the release committed.
pub fn await_end(directories: &Directories, release: &Digest, trial: u64) -> Result<(), UpgradeError> {
    let until = Instant::now() + WAIT_MAX;
    while Instant::now() < until {
        thread::sleep(EVERY);
        match Client::connect(&directories.run(), ANSWER).and_then(|mut client| client.state()) {
            Ok(state) => {
                if let Some(ended) = state.releases.and_then(|releases| ended(&releases, release, trial)) {
                    return ended;
                }
            }
            Err(ClientError::NotRunning { .. } | ClientError::Closed) => {
                return left(directories, release, trial);
            }
            // It may be busy with the disk.
            Err(ClientError::Silent { .. }) => {}
            Err(error) => return Err(UpgradeError::Supervisor(error)),
        }
    }
    Err(UpgradeError::Unfinished { release: release.short(), waited_s: WAIT_MAX.as_secs() })
}

fn ended(releases: &Releases, release: &Digest, trial: u64) -> Option<Result<(), UpgradeError>> {
    let last = releases.last.as_ref().filter(|last| last.trial == trial)?;
    let committed = releases.committed.get(..16).unwrap_or(&releases.committed);
    Some(if last.committed { Ok(()) } else { Err(held(release, last.reason.as_deref(), committed)) })
}

/// The supervisor has gone: the ledger says how far it came.
fn left(directories: &Directories, release: &Digest, trial: u64) -> Result<(), UpgradeError> {
    let interrupted = |next| Err(UpgradeError::Interrupted { release: release.short(), next });
    let ledger = LedgerFile::of(&Store::of(&directories.state_dir)).read()?;
    let Some(ledger) = ledger else { return interrupted("knows nothing of it: the ledger is gone") };
    match &ledger.candidate {
        Some(candidate) if candidate.tries_left > 0 => interrupted("goes on with it"),
        Some(_) => interrupted("runs the release that was committed before"),
        None => of_history(&ledger, release, trial),
    }
}

fn of_history(ledger: &Ledger, release: &Digest, trial: u64) -> Result<(), UpgradeError> {
    match ledger.last().filter(|last| last.trial == trial) {
        Some(last) if last.outcome == Outcome::Committed => Ok(()),
        last => {
            let reason = last.and_then(|last| last.reason.as_deref());
            Err(held(release, reason, &ledger.committed.short()))
        }
    }
}

fn held(release: &Digest, reason: Option<&str>, committed: &str) -> UpgradeError {
    let reason = reason.unwrap_or("no reason is known").into();
    UpgradeError::Held { release: release.short(), reason, committed: committed.into() }
}
