//! `evermesh upgrade history`.

use std::{fmt, time::Duration};

use evermesh_upgrader::release::{Entry, LedgerFile, Store, unix_ms};
use serde::Serialize;

use super::UpgradeError;
use crate::{
    Exit, Failure,
    args::Directories,
    output::{Output, columns},
};

/// The latest events, the latest last. Field names stay.
#[derive(Debug, Serialize)]
struct HistoryView {
    #[serde(skip)]
    now_unix_ms: u64,
    history: Vec<Entry>,
}

/// Shows what became of trials.
pub fn show(directories: &Directories, output: Output) -> Result<Exit, Failure> {
    let ledger = LedgerFile::of(&Store::of(&directories.state_dir)).read().map_err(UpgradeError::from)?;
    let history = ledger.map(|ledger| ledger.history).unwrap_or_default();
    output.show(&HistoryView { now_unix_ms: unix_ms(), history })?;
    Ok(Exit::Ok)
}

impl fmt::Display for HistoryView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.history.is_empty() {
            return writeln!(f, "No other release was ever tried here.");
        }
        let row = |entry: &Entry| {
            let age = Duration::from_millis(self.now_unix_ms.saturating_sub(entry.unix_ms)).as_secs();
            let reason = entry.reason.clone().unwrap_or_default();
            [
                format!("{age} s ago"),
                entry.from.short(),
                entry.to.short(),
                entry.outcome.as_str().into(),
                reason,
            ]
        };
        let rows = self.history.iter().map(row);
        writeln!(f, "{}", columns(["WHEN", "FROM", "TO", "OUTCOME", "REASON"], rows))
    }
}
