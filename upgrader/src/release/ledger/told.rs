use evermesh_handover::message::{Candidate, Releases, TrialEnd};

use super::{Ledger, Outcome};

/// What others are told; which agent runs, and what is not as it should be, the ledger does not know.
impl From<&Ledger> for Releases {
    fn from(ledger: &Ledger) -> Self {
        let candidate = ledger.candidate.as_ref().map(|it| Candidate {
            release: it.release.into(),
            trial: it.trial,
            tries_left: it.tries_left,
            under_way: it.under_way,
            reason: it.reason.clone(),
            accept_loss: it.accept_loss.clone(),
        });
        let last = ledger.last().map(|it| TrialEnd {
            trial: it.trial,
            release: it.to.into(),
            committed: it.outcome == Outcome::Committed,
            reason: it.reason.clone(),
            unix_ms: it.unix_ms,
        });
        Self {
            committed: ledger.committed.into(),
            previous: ledger.previous.map(Into::into),
            candidate,
            last,
            ..Self::default()
        }
    }
}
