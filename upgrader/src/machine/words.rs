//! Why a candidate is no good, for a human.

use super::{
    Cause, Machine, Newcomer, Next, Phase,
    trial::{Step, Trial},
};

/// The subject of a reason.
pub(super) const COMMITTED: &str = "the committed release";

impl Machine {
    /// What the candidate's agent says tells later why it failed, and so does what a release says that steps down.
    pub(super) fn note_words(&mut self, said: &str) {
        if let Phase::SteppingDown {
            next: Next::Newcomer(Newcomer { words, .. }) | Next::Committed { words },
            ..
        } = &mut self.phase
        {
            *words = Some(said.into());
        }
        let step = self.trial.as_mut().map(|trial| &mut trial.step);
        if let Some(Step::UnderWay { words, .. } | Step::SteppingDown { words }) = step {
            *words = Some(said.into());
        }
    }

    pub(super) fn note_ready(&mut self) {
        if let Some(Trial { step: Step::UnderWay { ready, .. }, .. }) = &mut self.trial {
            *ready = true;
        }
    }

    /// The end of the candidate's agent, in words.
    pub(super) fn reason(&self, cause: Cause) -> String {
        let (ready, words) = match self.trial.as_ref().map(|trial| &trial.step) {
            Some(Step::SteppingDown { words }) => {
                return self.reason_of_step_down(COMMITTED, cause, words.as_deref());
            }
            Some(Step::UnderWay { ready, words }) => (*ready, words.as_deref()),
            _ => (false, None),
        };
        let end = self.last_exit.as_deref().unwrap_or("an unknown status");
        let when = if ready { "after it was ready, within the gate" } else { "before it was ready" };
        let what = match cause {
            Cause::Spawn => return end.into(),
            Cause::Hung if ready => format!("the agent hung {when}"),
            Cause::Hung => "the agent said that it is stuck".into(),
            Cause::StartTimeout => {
                format!(
                    "the agent did not become ready within {} ms",
                    self.settings.start_timeout.as_millis()
                )
            }
            _ => format!("the agent ended {when} ({end})"),
        };
        words.map_or(what.clone(), |words| format!("{what}; it last said: {words}"))
    }

    /// The end of a release's process that was to step down.
    pub(super) fn reason_of_step_down(&self, whose: &str, cause: Cause, words: Option<&str>) -> String {
        let end = self.last_exit.as_deref().unwrap_or("an unknown status");
        let what = match cause {
            Cause::Spawn => return format!("{whose} was to step down: {end}"),
            Cause::StartTimeout => {
                let within = self.settings.step_down_within().as_millis();
                format!("{whose} did not step down within {within} ms")
            }
            _ => format!("{whose} did not step down ({end})"),
        };
        words.map_or(what.clone(), |words| format!("{what}; it last said: {words}"))
    }
}
