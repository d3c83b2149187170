//! Trying another release: its agent takes over, and either proves itself or makes place for the committed one's.
//!
//! ```text
//!        the agent ends, Try is recorded     stepped down        alive after the gate, Commit is recorded
//! Due ------------------------------> SteppingDown ----> UnderWay ------------------------------> over, committed
//!  ^                                        |                | falls, hangs, does not start
//!  |   the committed one ran meanwhile      v                v
//!  +------------------------------------ Paused, or over: held, if no try is left
//! ```
//!
//! What must hold: the ledger says that a try begins before it does; the candidate's agent is started when the committed
//! release has stepped down, or need not; the ledger says that the candidate is committed before anybody else is told;
//! after a failed try the next agent is the committed release's, at once, or as soon as the candidate has stepped down whose
//! generation stays.

use std::time::{Duration, Instant};

use evermesh_handover::message::Answer;

use super::{Action, Cause, Machine, Next, Peer, Phase, Record, Which, Why, step_down::SETTLING};

/// How much longer each pause between tries is than the one before.
const PAUSE_GROWTH: u32 = 6;

/// A release on trial, as the machine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    tries_left: u32,
    failed: u32,
    pub(super) step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The next agent is the candidate's.
    Due,
    /// The beginning of a try is written down.
    Recording,
    /// The committed release carries maps over to layouts that the candidate knows, if that is needed.
    SteppingDown { words: Option<String> },
    /// The present agent is the candidate's.
    UnderWay { ready: bool, words: Option<String> },
    /// That the candidate is committed is written down.
    Committing,
    /// The committed release runs, until the candidate is tried again.
    Paused { until: Instant },
}

impl Trial {
    /// The next agent is the candidate's, of whose agents so many may be started.
    fn due(tries_left: u32) -> Self {
        Self { tries_left, failed: 0, step: Step::Due }
    }

    fn is_due(&self, now: Instant) -> bool {
        match self.step {
            Step::Due => true,
            Step::Paused { until } => until <= now,
            _ => false,
        }
    }

    fn is_under_way(&self) -> bool {
        matches!(self.step, Step::UnderWay { .. })
    }
}

impl Machine {
    /// The supervisor starts with a release to try. One that has failed right before is not tried at once.
    pub fn with_trial(mut self, tries_left: u32, failed_before: bool) -> Self {
        let mut trial = Trial::due(tries_left);
        if failed_before {
            (trial.failed, self.goes_back) = (1, true);
            trial.step = Step::Paused { until: self.ticked_at + self.settings.trial_pause };
        }
        self.trial = Some(trial);
        self
    }

    /// Whether a release can be tried now; the runtime looks at the release itself.
    pub(super) fn upgrade_asked(
        &self,
        peer: Peer,
        release: String,
        tries: u32,
        accept_loss: Vec<String>,
    ) -> Vec<Action> {
        let reason = match self.phase {
            _ if self.takeover_until.is_some() => {
                "this supervisor is taking over and has not proven itself yet"
            }
            _ if self.goes_back => {
                "a trial has just ended, and the committed release has not started yet; try again"
            }
            _ if self.trial.is_some() => "a release is being tried already; see `evermesh upgrade status`",
            Phase::Stopping { why: Why::Unsettled, .. }
            | Phase::SteppingDown { next: Next::Committed { .. }, .. } => SETTLING,
            Phase::Stopping { why: Why::End(_), .. } | Phase::Ended => "this supervisor is ending",
            Phase::Stopping { why: Why::Yield(_), .. }
            | Phase::SteppingDown { .. }
            | Phase::Yielded { .. }
            | Phase::TakingBack { .. } => "this supervisor is yielding to another one",
            _ => return vec![Action::Consider { peer, release, tries, accept_loss }],
        };
        vec![Action::Answer(peer, Answer::refused(reason))]
    }

    pub(super) fn considered(
        &mut self,
        peer: Peer,
        trial: Result<(u64, u32), String>,
        now: Instant,
    ) -> Vec<Action> {
        let (trial, tries) = match trial {
            Ok(trial) => trial,
            Err(reason) => return vec![Action::Answer(peer, Answer::refused(reason))],
        };
        self.trial = Some(Trial::due(tries));
        let mut actions = vec![Action::Answer(peer, Answer::Upgrading { trial })];
        actions.extend(self.make_place(now));
        actions
    }

    /// The agent to start next, and what must be on disk before.
    pub(super) fn spawn(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.trial {
            Some(trial) if trial.is_due(now) && !self.goes_back => {
                trial.step = Step::Recording;
                vec![Action::Record(Record::Try)]
            }
            _ if self.unsettled => self.step_down(Next::Committed { words: None }, now),
            _ => self.spawn_of(Which::Committed, now),
        }
    }

    pub(super) fn recorded(&mut self, now: Instant) -> Vec<Action> {
        let Some(trial) = &mut self.trial else { return Vec::new() };
        match trial.step {
            Step::Recording => {
                trial.tries_left = trial.tries_left.saturating_sub(1);
                trial.step = Step::SteppingDown { words: None };
                self.step_down(Next::Candidate, now)
            }
            Step::Committing => {
                (self.trial, self.unsettled) = (None, false);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// The candidate will find maps that it knows.
    pub(super) fn spawn_candidate(&mut self, now: Instant) -> Vec<Action> {
        match &mut self.trial {
            Some(Trial { step: step @ Step::SteppingDown { .. }, .. }) => {
                *step = Step::UnderWay { ready: false, words: None };
                self.spawn_of(Which::Candidate, now)
            }
            _ => Vec::new(),
        }
    }

    /// What cannot be written down does not happen.
    pub(super) fn not_recorded(&mut self, reason: String, now: Instant) -> Vec<Action> {
        let Some(trial) = self.trial.take() else { return Vec::new() };
        self.goes_back = true;
        let mut actions = vec![Action::Record(Record::Held(reason))];
        match trial.step {
            Step::Recording => actions.extend(self.back_off_until(now)),
            _ => actions.extend(self.make_place(now)),
        }
        actions
    }

    /// The present agent has proven itself; none: it is not a candidate's.
    pub(super) fn commit_candidate(&mut self) -> Option<Vec<Action>> {
        let trial = self.trial.as_mut().filter(|trial| trial.is_under_way())?;
        trial.step = Step::Committing;
        Some(vec![Action::Record(Record::Commit)])
    }

    /// The present agent is the candidate's, which has not proven itself.
    pub(super) fn candidate_runs(&self) -> bool {
        self.trial.as_ref().is_some_and(Trial::is_under_way)
    }

    /// A try has begun, and the candidate has not proven itself.
    pub(super) fn try_is_under_way(&self) -> bool {
        let steps_down = |trial: &Trial| matches!(trial.step, Step::SteppingDown { .. });
        self.trial.as_ref().is_some_and(|trial| trial.is_under_way() || steps_down(trial))
    }

    pub(super) fn try_failed(&mut self, cause: Cause, now: Instant) -> Vec<Action> {
        let reason = self.reason(cause);
        self.goes_back = true;
        let Some(trial) = &mut self.trial else { return Vec::new() };
        if trial.tries_left == 0 {
            self.trial = None;
            return vec![Action::Record(Record::Held(reason))];
        }
        let pause = self.settings.trial_pause.saturating_mul(PAUSE_GROWTH.saturating_pow(trial.failed));
        trial.failed += 1;
        trial.step = Step::Paused { until: now + pause.min(Duration::from_secs(3600)) };
        vec![Action::Record(Record::Failed(reason))]
    }

    /// The supervisor ends. A try that nothing speaks against is given back; the next start goes on with it.
    pub(super) fn leave_trial(&mut self, now: Instant) -> Vec<Action> {
        let actions = match self.phase {
            _ if !self.try_is_under_way() => Vec::new(),
            Phase::Stopping { why: Why::Useless(cause), .. } => self.try_failed(cause, now),
            Phase::Stopping { why: Why::OwnWill, .. } => self.try_failed(Cause::Exit, now),
            _ => vec![Action::Record(Record::GivenBack)],
        };
        self.trial = None;
        actions
    }

    /// The pause between two tries is over.
    pub(super) fn resume_trial(&mut self, now: Instant) -> Vec<Action> {
        if self.trial_deadline().is_none_or(|deadline| deadline > now) {
            return Vec::new();
        }
        if let Some(trial) = &mut self.trial {
            trial.step = Step::Due;
        }
        self.make_place(now)
    }

    pub(super) fn trial_deadline(&self) -> Option<Instant> {
        match (&self.phase, &self.trial) {
            (Phase::Running { .. }, Some(Trial { step: Step::Paused { until }, .. })) => Some(*until),
            _ => None,
        }
    }

    fn make_place(&mut self, now: Instant) -> Vec<Action> {
        match self.phase.has_agent() {
            true => self.stop_agent(Why::Trial, now),
            false => self.back_off_until(now),
        }
    }
}
