//! What keeps disk and tables as they should be.

use std::sync::Arc;

use evermesh_model::LastApplied;

use super::{Action, Chore, Core, Feed};

/// What is on its way to the disk. One record is written at a time, so an older one can never replace a newer one.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// Being written.
    now: Option<Arc<LastApplied>>,
    /// Waits for that.
    next: Option<Arc<LastApplied>>,
    /// What is applied is newer than what is there, and is written in its time.
    late: bool,
    /// One was written by this agent, or by an earlier one.
    begun: bool,
    /// Why the last one did not get there.
    pub failed: Option<String>,
}

impl Core {
    /// Brings what was found at the start to the disk. Of what a control plane said an earlier agent has written a record that
    /// differs in little; and that it has said nothing yet is not worth one.
    pub(super) fn keep_found(&mut self) -> Option<Action> {
        if self.feed == Feed::ControlPlane {
            let snapshot = self.applied.as_ref().map(|applied| &applied.snapshot);
            self.saving.begun = snapshot.is_some_and(|it| it.service_count() + it.workload_count() > 0);
            self.saving.late = self.saving.begun;
            return None;
        }
        self.keep()
    }

    /// Brings what is applied to the disk. What a control plane says is kept by itself, change by change: a record of all of
    /// it is for the day on which that is lost, and is written now and then.
    pub(super) fn keep(&mut self) -> Option<Action> {
        match self.feed {
            Feed::Files => self.applied.clone().and_then(|applied| self.save(applied)),
            // The first one is for whoever wants to know names.
            Feed::ControlPlane if !std::mem::replace(&mut self.saving.begun, true) => {
                self.applied.clone().and_then(|applied| self.save(applied))
            }
            Feed::ControlPlane => {
                self.saving.late = true;
                None
            }
        }
    }

    /// For a quicker start. What a control plane says is read from its database by then, which no source vouches for.
    pub(super) fn note(&self) -> Option<Action> {
        self.applied.clone().filter(|_| self.feed == Feed::Files).map(Action::Note)
    }

    /// What is still to be done before the agent ends.
    pub fn end(&mut self) -> Vec<Action> {
        self.save_late().into_iter().collect()
    }

    fn save_late(&mut self) -> Option<Action> {
        let late = std::mem::take(&mut self.saving.late);
        self.applied.clone().filter(|_| late).and_then(|applied| self.save(applied))
    }

    pub(super) fn save(&mut self, record: Arc<LastApplied>) -> Option<Action> {
        if self.saving.now.is_some() {
            self.saving.next = Some(record);
            return None;
        }
        self.saving.now = Some(record.clone());
        Some(Action::Save(record))
    }

    /// Whether something is on its way to the disk.
    pub fn is_saving(&self) -> bool {
        self.saving.now.is_some()
    }

    pub(super) fn saved(&mut self, result: Result<(), String>) -> Vec<Action> {
        self.saving.now = None;
        let failed = result.err();
        let is_new = failed.is_some() && failed != self.saving.failed;
        let told = failed.as_ref().filter(|_| is_new).map(|reason| {
            Action::Warn(format!("what is applied is not on disk, a restart would not know it: {reason}"))
        });
        self.saving.failed = failed;
        let note = self.note().filter(|_| self.saving.failed.is_none() && self.saving.next.is_none());
        let next = self.saving.next.take().and_then(|next| self.save(next)).or(note);
        told.into_iter().chain(next).collect()
    }

    /// Compares the tables, and tries again what failed.
    pub(super) fn audit(&mut self) -> Vec<Action> {
        let mut actions = vec![Action::Do(Chore::Audit)];
        if self.refused.is_some() {
            actions.extend(self.changed(None));
        }
        actions.extend(self.save_late());
        if self.saving.failed.is_some() && self.saving.now.is_none() {
            actions.extend(self.applied.clone().and_then(|applied| self.save(applied)));
        }
        actions.extend(self.troubles.contains_key(&Chore::Tally).then_some(Action::Do(Chore::Tally)));
        actions.extend(self.look_again_for_orphans());
        actions
    }

    pub(super) fn done(
        &mut self,
        chore: Chore,
        result: Result<u64, String>,
        now_unix_ms: u64,
    ) -> Vec<Action> {
        match result {
            Ok(writes) => {
                self.troubles.remove(&chore);
                let mended = self.drifted(writes, now_unix_ms);
                // An audit reads the tables anew, and what it found to be free is waited for as well.
                let read = (chore == Chore::Audit && mended.is_empty()).then_some(Action::Do(Chore::Reclaim));
                mended.into_iter().chain(read).collect()
            }
            Err(reason) => self.trouble(chore, reason).into_iter().collect(),
        }
    }

    pub(super) fn drifted(&mut self, writes: u64, now_unix_ms: u64) -> Vec<Action> {
        if writes == 0 {
            return Vec::new();
        }
        self.writes += writes;
        self.drifts += 1;
        self.drifted_unix_ms = Some(now_unix_ms);
        let told =
            format!("the kernel's tables were not as they were written and are put right: {writes} writes");
        let mended = [Action::Warn(told), Action::Do(Chore::Reclaim)];
        mended.into_iter().chain(self.look_for_orphans()).collect()
    }

    /// The same trouble again is not told twice.
    pub(super) fn trouble(&mut self, chore: Chore, reason: String) -> Option<Action> {
        let text = format!("{}: {reason}", chore.failure());
        let before = self.troubles.insert(chore, text.clone());
        (before.as_ref() != Some(&text)).then_some(Action::Warn(text))
    }
}

impl Chore {
    fn failure(self) -> &'static str {
        match self {
            Self::Audit => "the kernel's tables cannot be compared with what was applied",
            Self::Reclaim => "what a change has freed cannot be used again",
            Self::Heartbeat => "the heartbeat cannot be written",
            Self::Tally => "what is counted is not on disk, and lost when the agent ends",
            Self::Orphans => "sockets whose endpoint is gone are not destroyed",
        }
    }
}
