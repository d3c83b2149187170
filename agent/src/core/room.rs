//! A configuration that the tables have no room for: who comes and goes behind services that stand is followed all the same.

use std::sync::Arc;

use evermesh_loader::Applied;
use evermesh_model::LastApplied;

use super::{Action, Core, NotApplied, load::Step};

impl Core {
    /// How much room there is, is told by what was applied whole before; or by what is on disk, where nothing was.
    pub(super) fn has_no_room(
        &mut self,
        newest: Arc<LastApplied>,
        reason: String,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        match self.fits.clone().or_else(|| self.applied.clone()) {
            Some(fits) => self.narrow(&newest, Some(fits), reason, now_unix_ms),
            None => {
                self.loading.step = Step::Measuring(newest, reason);
                vec![Action::Recall]
            }
        }
    }

    /// As much of the newest is applied as takes no more room than that.
    pub(super) fn narrow(
        &mut self,
        newest: &LastApplied,
        fits: Option<Arc<LastApplied>>,
        reason: String,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        let stands = self.applied.as_deref();
        let narrowed = fits.as_deref().and_then(|it| newest.within_the_room_of(it, stands.unwrap_or(it)));
        match narrowed {
            None => self.refuse_newest(reason, now_unix_ms),
            Some(narrowed) if stands.is_some_and(|stands| stands.snapshot == narrowed.snapshot) => {
                self.refuse_newest(in_part(&reason), now_unix_ms)
            }
            Some(narrowed) => {
                let narrowed = Arc::new(narrowed);
                self.fits = fits;
                self.loading.step = Step::Narrowed(narrowed.clone(), reason);
                vec![Action::Apply(narrowed)]
            }
        }
    }

    pub(super) fn was_narrowed(
        &mut self,
        narrowed: Arc<LastApplied>,
        reason: String,
        result: Result<Applied, NotApplied>,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        match result {
            Ok(counts) => {
                let taken = self.take_in(narrowed, counts);
                taken.into_iter().chain(self.refuse_newest(in_part(&reason), now_unix_ms)).collect()
            }
            Err(NotApplied::Full(_)) => self.refuse_newest(reason, now_unix_ms),
            Err(NotApplied::Failed(other)) => self.refuse_newest(other, now_unix_ms),
        }
    }
}

/// Why only a part of it is applied.
fn in_part(reason: &str) -> String {
    format!(
        "{reason}; until then new services wait, and those that stand have as many endpoints as they had, whoever comes and goes"
    )
}
