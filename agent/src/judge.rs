use std::{path::Path, time::Duration};

use evermesh_handover::{
    Client, ClientError, RunDir,
    gate::{Evidence, Flows, Gate, Sentinels, Verdict},
};
use evermesh_loader::Report;
use tracing::warn;

/// How long the supervisor may take to say its word. It is one process without other work.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who says what becomes of a generation on trial: the supervisor. Where there is none, or one of a release that knows
/// nothing of it, the same rule is followed here.
#[derive(Clone, Debug)]
pub struct Judge {
    run_dir: RunDir,
    own: Gate,
}

impl Judge {
    /// How often it is asked: a generation on trial shows something new by then.
    pub const EVERY: Duration = Duration::from_millis(100);

    pub fn new(run_dir: &Path) -> Self {
        Self { run_dir: RunDir::new(run_dir), own: Gate::default() }
    }

    /// Blocks. Whoever is there and says nothing that can be understood has not said that it stays.
    pub fn judge(&self, report: &Report) -> Verdict {
        let evidence = evidence(report);
        let asked = Client::connect(&self.run_dir, PATIENCE).and_then(|mut it| it.judge(&evidence));
        match asked {
            Ok(verdict) => verdict,
            Err(ClientError::NotRunning { .. } | ClientError::Refused { .. }) => self.own.judge(&evidence),
            Err(error) => {
                warn!(%error, "the supervisor has no word on the new generation");
                Verdict::RollBack { reason: error.to_string() }
            }
        }
    }
}

fn evidence(report: &Report) -> Evidence {
    let flows = |flows: evermesh_loader::Flows| Flows { translated: flows.translated, failed: flows.failed };
    Evidence {
        generation: report.generation,
        age_ms: u64::try_from(report.age.as_millis()).unwrap_or(u64::MAX),
        now: flows(report.now),
        before: flows(report.before),
        differences: report.differences as u64,
        sentinels: report.sentinels.as_ref().map(|found| Sentinels {
            passed: found.passed,
            failed: found.failed,
            example: found.example.clone(),
        }),
    }
}
