//! From the source to the tables.

use std::{mem, sync::Arc};

use evermesh_loader::Applied;
use evermesh_model::LastApplied;

use super::{Action, Chore, Core, Feed, Found, NotApplied, Offered, Outcome, Refused, Ticket};
use crate::source::Loaded;

/// How far the newest configuration is on its way.
#[derive(Debug, Default)]
pub(super) struct Loading {
    pub(super) step: Step,
    /// Who is told when it has arrived.
    waiting: Vec<Ticket>,
    /// The source changed since it was read: it is read again afterwards, and these are told then.
    again: Option<Vec<Ticket>>,
}

#[derive(Debug, Default)]
pub(super) enum Step {
    #[default]
    Idle,
    Reading,
    /// What was laid from a source of this digest is read from disk.
    Recalling([u8; 32]),
    /// That was found, and should be what the tables say.
    Confirming(Arc<LastApplied>),
    Applying(Arc<LastApplied>),
    /// There is no room for it, because of that; what was applied last is read from disk, to know how much there is.
    Measuring(Arc<LastApplied>, String),
    /// As much of the newest as there is room for, and why that is not all.
    Narrowed(Arc<LastApplied>, String),
}

impl Loading {
    pub fn recalling(digest: [u8; 32]) -> Self {
        Self { step: Step::Recalling(digest), ..Self::default() }
    }
}

impl Core {
    /// Whether it is still to be found out what the tables say.
    pub fn is_recalling(&self) -> bool {
        matches!(self.loading.step, Step::Recalling(_) | Step::Confirming(_))
    }

    pub(super) fn recalled(
        &mut self,
        found: Option<Box<LastApplied>>,
        note: Option<String>,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        self.notes.extend(note);
        match mem::take(&mut self.loading.step) {
            Step::Recalling(digest) => self.was_laid(found.filter(|found| found.digest == digest)),
            Step::Measuring(newest, reason) => {
                self.narrow(&newest, found.map(Arc::from), reason, now_unix_ms)
            }
            step => {
                self.loading.step = step;
                Vec::new()
            }
        }
    }

    /// Where it is not what was laid, the source is read instead.
    fn was_laid(&mut self, found: Option<Box<LastApplied>>) -> Vec<Action> {
        match found {
            Some(found) => {
                let found = Arc::new(*found);
                self.loading.step = Step::Confirming(found.clone());
                vec![Action::Apply(found)]
            }
            None => self.read_after_all(),
        }
    }

    fn confirmed(
        &mut self,
        found: Arc<LastApplied>,
        result: Result<Applied, NotApplied>,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        let counts = match result {
            Ok(counts) => counts,
            Err(error) => {
                let told = self.refuse(error.into_reason(), now_unix_ms).1;
                return told.into_iter().chain(self.read_after_all()).collect();
            }
        };
        self.applied = Some(found);
        self.counts = counts;
        let mut actions = self.drifted(counts.writes, now_unix_ms);
        actions.push(Action::Info(self.summary()));
        actions.extend(self.warnings(&[]));
        actions.extend(self.arrive(None));
        actions
    }

    fn read_after_all(&mut self) -> Vec<Action> {
        let Loading { waiting, again, .. } = mem::take(&mut self.loading);
        self.start_reading(waiting.into_iter().chain(again.into_iter().flatten()).collect())
    }

    pub(super) fn changed(&mut self, ticket: Option<Ticket>) -> Vec<Action> {
        if matches!(self.loading.step, Step::Idle) {
            return self.start_reading(ticket.into_iter().collect());
        }
        self.loading.again.get_or_insert_default().extend(ticket);
        Vec::new()
    }

    fn start_reading(&mut self, waiting: Vec<Ticket>) -> Vec<Action> {
        let unless = self.applied.as_ref().map(|applied| applied.digest);
        self.loading = Loading { step: Step::Reading, waiting, again: None };
        match self.feed {
            Feed::Files => vec![Action::Read { unless }],
            Feed::ControlPlane => match self.following.refused.take() {
                Some(wanted) => self.try_to_apply(wanted),
                None => self.arrive(unless.map(Outcome::Unchanged)),
            },
        }
    }

    fn try_to_apply(&mut self, candidate: Arc<LastApplied>) -> Vec<Action> {
        self.loading.step = Step::Applying(candidate.clone());
        vec![Action::Apply(candidate)]
    }

    /// Whoever offers waits for the outcome before offering more, so at most what was refused earlier is in the way.
    pub(super) fn offered(&mut self, offered: Offered, ticket: Ticket, now_unix_ms: u64) -> Vec<Action> {
        let candidate = Arc::new(offered.candidate(&self.source, now_unix_ms));
        self.following.refused = None;
        if !matches!(self.loading.step, Step::Idle) {
            self.following.next = Some((candidate, ticket));
            return Vec::new();
        }
        self.loading.waiting = vec![ticket];
        self.try_to_apply(candidate)
    }

    pub(super) fn read(&mut self, found: Result<Found, String>, now_unix_ms: u64) -> Vec<Action> {
        match (found, self.applied.as_ref().map(|applied| applied.digest)) {
            (Ok(Found::New(loaded)), _) => self.start_applying(*loaded, now_unix_ms),
            (Ok(Found::Same), Some(digest)) => self.is_same(digest),
            // Nothing is applied, so nothing can be the same.
            (Ok(Found::Same), None) => self.arrive(None),
            (Err(reason), _) => self.refuse_newest(reason, now_unix_ms),
        }
    }

    fn start_applying(&mut self, loaded: Loaded, now_unix_ms: u64) -> Vec<Action> {
        let Loaded { snapshot, digest, warnings, files: _ } = loaded;
        let source = self.source.clone();
        let applied_unix_ms = now_unix_ms;
        self.try_to_apply(Arc::new(LastApplied { source, digest, applied_unix_ms, warnings, snapshot }))
    }

    fn is_same(&mut self, digest: [u8; 32]) -> Vec<Action> {
        let was_refused = self.refused.take().is_some();
        let told = was_refused.then(|| Action::Info("the configuration is again what is applied".into()));
        told.into_iter().chain(self.arrive(Some(Outcome::Unchanged(digest)))).collect()
    }

    pub(super) fn was_applied(
        &mut self,
        result: Result<Applied, NotApplied>,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        let candidate = match mem::take(&mut self.loading.step) {
            Step::Applying(candidate) => candidate,
            Step::Confirming(found) => return self.confirmed(found, result, now_unix_ms),
            Step::Narrowed(narrowed, reason) => {
                return self.was_narrowed(narrowed, reason, result, now_unix_ms);
            }
            step => {
                self.loading.step = step;
                return Vec::new();
            }
        };
        match result {
            Ok(counts) => {
                (self.refused, self.fits) = (None, None);
                let arrived = Outcome::Applied(candidate.digest);
                let taken = self.take_in(candidate, counts);
                taken.into_iter().chain(self.arrive(Some(arrived))).collect()
            }
            Err(error) => {
                if self.feed == Feed::ControlPlane {
                    self.following.refused = Some(candidate.clone());
                }
                match error {
                    NotApplied::Full(reason) => self.has_no_room(candidate, reason, now_unix_ms),
                    NotApplied::Failed(reason) => self.refuse_newest(reason, now_unix_ms),
                }
            }
        }
    }

    pub(super) fn take_in(&mut self, applied: Arc<LastApplied>, counts: Applied) -> Vec<Action> {
        self.counts = counts;
        self.writes += counts.writes;
        let before = self.applied.replace(applied);
        let mut actions = Vec::new();
        // A control plane says something new all the time.
        if self.feed == Feed::Files {
            let told = format!("applied with {} writes: {}", counts.writes, self.applied_counts());
            actions.push(Action::Info(told));
        }
        actions.extend(self.warnings(before.as_ref().map_or(&[], |before| &before.warnings)));
        actions.extend(self.keep());
        actions.push(Action::Do(Chore::Reclaim));
        if counts.writes > 0 {
            actions.extend(self.look_for_orphans());
        }
        actions
    }

    /// Those that were not told before.
    pub(super) fn warnings(&self, told: &[String]) -> Vec<Action> {
        let warnings = self.applied.iter().flat_map(|applied| &applied.warnings);
        warnings.filter(|warning| !told.contains(warning)).cloned().map(Action::Warn).collect()
    }

    pub(super) fn refuse_newest(&mut self, reason: String, now_unix_ms: u64) -> Vec<Action> {
        let (refused, told) = self.refuse(reason, now_unix_ms);
        told.into_iter().chain(self.arrive(Some(Outcome::Refused(refused)))).collect()
    }

    /// The same refusal again is the same refusal: it keeps its time and is not told twice.
    pub(super) fn refuse(&mut self, reason: String, now_unix_ms: u64) -> (Refused, Option<Action>) {
        if let Some(refused) = self.refused.as_ref().filter(|refused| refused.reason == reason) {
            return (refused.clone(), None);
        }
        let told = format!("the newest configuration is refused, the one before it stays:\n{reason}");
        let refused = Refused { reason, at_unix_ms: now_unix_ms };
        self.refused = Some(refused.clone());
        (refused, Some(Action::Warn(told)))
    }

    /// Tells those who wait, and goes on with what changed meanwhile.
    fn arrive(&mut self, outcome: Option<Outcome>) -> Vec<Action> {
        let Loading { waiting, again, .. } = mem::take(&mut self.loading);
        let answer = |ticket| outcome.clone().map(|outcome| Action::Answer(ticket, outcome));
        let mut actions: Vec<_> = waiting.into_iter().filter_map(answer).collect();
        if let Some((candidate, ticket)) = self.following.next.take() {
            self.loading = Loading { waiting: vec![ticket], again, ..Loading::default() };
            actions.extend(self.try_to_apply(candidate));
        } else if let Some(waiting) = again {
            actions.extend(self.start_reading(waiting));
        }
        actions
    }
}
