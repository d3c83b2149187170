//! Whether a new generation stays.

use evermesh_handover::gate::Verdict;
use evermesh_loader::{How, Started};

use super::{Action, Chore, Core};

impl Core {
    /// Whoever waits for a node that is ready waits for a generation that has proven itself.
    pub(super) fn ready_or_on_trial(&self) -> Action {
        if self.on_trial { Action::Judge } else { Action::Ready }
    }

    pub(super) fn judged(&mut self, verdict: Verdict) -> Vec<Action> {
        match verdict {
            Verdict::Wait => vec![Action::Judge],
            Verdict::Commit => vec![Action::Commit],
            Verdict::RollBack { reason } => {
                let generation = self.started.generation;
                let told = format!("generation {generation} is rolled back: {reason}");
                vec![Action::Warn(told), Action::RollBack(reason)]
            }
        }
    }

    /// Where it failed, it was rolled back, or the next start finishes it.
    pub(super) fn committed(&mut self, result: Result<Vec<String>, String>) -> Vec<Action> {
        self.on_trial = false;
        let generation = self.started.generation;
        match result {
            Ok(notes) => {
                self.notes.extend(notes);
                let told = Action::Info(format!("generation {generation} stays"));
                vec![told, Action::Ready, Action::Do(Chore::Tally)]
            }
            Err(error) => {
                vec![Action::End(format!("generation {generation} could not be committed: {error}"))]
            }
        }
    }

    /// An agent on trial has failed with its generation; any other goes on with what stood before.
    pub(super) fn rolled_back(&mut self, reason: &str, result: Result<Vec<String>, String>) -> Vec<Action> {
        self.on_trial = false;
        let generation = self.started.generation;
        let told = format!("generation {generation} was rolled back: {reason}");
        match (result, &self.started.how) {
            (Err(error), _) => vec![Action::End(format!("{told}; that is not complete: {error}"))],
            (Ok(notes), &How::Changed { from, .. }) if !self.candidate => {
                self.started = Started { generation: from, how: How::Adopted, ..self.started.clone() };
                self.notes.push(told);
                self.notes.extend(notes);
                vec![Action::Ready, Action::Do(Chore::Tally)]
            }
            (Ok(_), _) => vec![Action::End(told)],
        }
    }
}
