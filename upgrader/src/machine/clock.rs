//! What happens because time passes.

use std::time::Instant;

use nix::sys::signal::Signal;

use super::{Action, Cause, Machine, Phase};
use crate::Exit;

impl Machine {
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Action> {
        let overslept = now > self.ticked_at + self.silence_max * 2;
        self.ticked_at = now;
        let mut actions = self.give_up_takeover(now);
        if self.is_due(now) {
            actions.extend(self.due(overslept, now));
        }
        actions.extend(self.resume_trial(now));
        actions
    }

    /// An agent that is not ready by then has failed.
    pub(super) fn takeover_deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Starting { .. } | Phase::Backoff { .. } if !self.predecessor_gone => self.takeover_until,
            _ => None,
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.phase.deadline(self.silence_max).is_some_and(|deadline| deadline <= now)
    }

    fn due(&mut self, overslept: bool, now: Instant) -> Vec<Action> {
        match &mut self.phase {
            Phase::Starting { .. } | Phase::SteppingDown { .. } => self.kill(Cause::StartTimeout),
            // It was this process that did not run, stopped or frozen together with the agent.
            Phase::Running { heard_at, .. } if overslept => {
                *heard_at = now;
                Vec::new()
            }
            Phase::Running { .. } => self.kill(Cause::Hung),
            Phase::Stopping { kill_at, .. } => {
                *kill_at = None;
                vec![Action::Signal(Signal::SIGKILL)]
            }
            Phase::Backoff { .. } => self.spawn(now),
            Phase::Yielded { peer, .. } => {
                let peer = *peer;
                self.take_back(peer, now)
            }
            Phase::TakingBack { .. } => self.retry_seat(now),
            Phase::Ended => Vec::new(),
        }
    }

    fn give_up_takeover(&mut self, now: Instant) -> Vec<Action> {
        match self.takeover_deadline() {
            Some(deadline) if deadline <= now => self.stop(Exit::RolledBack, now),
            _ => Vec::new(),
        }
    }
}
