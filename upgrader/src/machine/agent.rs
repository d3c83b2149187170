//! The life of an agent.

use std::{process::ExitStatus, time::Instant};

use evermesh_handover::{
    gate::{Evidence, Verdict},
    message::Answer,
    notify::Notice,
};
use nix::sys::signal::Signal;

use super::{Action, Cause, Follower, Machine, Next, Peer, Phase, Which, Why};
use crate::Exit;

impl Machine {
    pub(super) fn spawn_of(&mut self, which: Which, now: Instant) -> Vec<Action> {
        self.silence_max = self.settings.watchdog;
        self.reload_when_ready = false;
        self.goes_back &= which == Which::Candidate;
        self.phase =
            Phase::Starting { ready_by: now + self.settings.start_timeout + self.settings.gate.time };
        vec![Action::Spawn(which)]
    }

    pub(super) fn noticed(&mut self, notice: Notice, now: Instant) -> Vec<Action> {
        match notice {
            Notice::Ready => return self.ready(now),
            Notice::Stuck => return self.kill(Cause::Hung),
            Notice::Stopping => self.agent_stops(now),
            Notice::Alive => return self.alive(now),
            Notice::Status(text) => {
                self.note_words(&text);
                self.status = Some(text);
            }
            Notice::SilenceMax(time) => self.silence_max = time,
        }
        Vec::new()
    }

    pub(super) fn exited(&mut self, status: ExitStatus, now: Instant) -> Vec<Action> {
        self.last_exit = Some(status.to_string());
        match &self.phase {
            Phase::Stopping { why: Why::Useless(cause), .. } => self.fell(*cause, now),
            Phase::Stopping { why: Why::End(exit), .. } => self.end(*exit),
            Phase::Stopping { why: Why::Yield(newcomer), .. } => self.make_way_for(newcomer.clone(), now),
            Phase::Stopping { why: Why::Unasked | Why::Trial, .. } => self.back_off_until(now),
            Phase::Stopping { why: Why::Unsettled, .. } => self.spawn_of(Which::Committed, now),
            Phase::SteppingDown { .. } if status.success() => self.stepped_down(now),
            _ if self.phase.has_agent() => self.fell(Cause::of(status), now),
            _ => Vec::new(),
        }
    }

    /// The word on a generation on trial. An agent that is to end does not begin anything new.
    pub(super) fn judge(&mut self, peer: Peer, evidence: &Evidence) -> Vec<Action> {
        let verdict = match self.phase {
            Phase::Starting { .. } | Phase::Running { .. } | Phase::SteppingDown { .. } => {
                self.settings.gate.judge(evidence)
            }
            _ => Verdict::RollBack { reason: format!("the supervisor is {}", self.phase) },
        };
        let stays = verdict == Verdict::Commit && self.candidate_runs();
        let mut actions = if stays { self.unsettle(Follower::Candidate) } else { Vec::new() };
        actions.push(Action::Answer(peer, Answer::Judged { verdict }));
        actions
    }

    pub(super) fn spawn_failed(&mut self, reason: String, now: Instant) -> Vec<Action> {
        self.last_exit = Some(reason);
        self.fell(Cause::Spawn, now)
    }

    /// A signal before the agent can take it would kill it; what it reads at its start may already be outdated.
    pub(super) fn reload(&mut self) -> Vec<Action> {
        self.reload_when_ready = matches!(self.phase, Phase::Starting { .. });
        match self.phase {
            Phase::Running { .. } => vec![Action::Signal(Signal::SIGHUP)],
            _ => Vec::new(),
        }
    }

    /// Ends the supervisor as soon as there is no agent. The first reason to end stays.
    pub(super) fn stop(&mut self, exit: Exit, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Ended | Phase::Stopping { why: Why::End(_), .. } => Vec::new(),
            _ => {
                let mut actions = self.leave_trial(now);
                actions.extend(match self.phase.has_agent() {
                    true => self.stop_agent(Why::End(exit), now),
                    false => self.end(exit),
                });
                actions
            }
        }
    }

    /// Asks the agent to end, unless it is ending anyway; then only what comes afterwards changes.
    pub(super) fn stop_agent(&mut self, why: Why, now: Instant) -> Vec<Action> {
        if let Phase::Stopping { why: present, .. } = &mut self.phase {
            *present = why;
            return Vec::new();
        }
        self.phase = Phase::Stopping { why, kill_at: Some(now + self.settings.stop_timeout) };
        vec![Action::Signal(Signal::SIGTERM)]
    }

    pub(super) fn kill(&mut self, cause: Cause) -> Vec<Action> {
        match &self.phase {
            Phase::SteppingDown { next: Next::Committed { words }, .. } => {
                let mut actions = self.not_settled(cause, words.as_deref());
                self.phase = Phase::Stopping { why: Why::Unsettled, kill_at: None };
                actions.push(Action::Signal(Signal::SIGKILL));
                actions
            }
            Phase::SteppingDown { next: Next::Newcomer(newcomer), .. } => {
                let mut actions = self.turn_away(newcomer, cause);
                self.phase = Phase::Stopping { why: Why::Unasked, kill_at: None };
                actions.push(Action::Signal(Signal::SIGKILL));
                actions
            }
            Phase::Starting { .. } | Phase::Running { .. } | Phase::SteppingDown { .. } => {
                self.phase = Phase::Stopping { why: Why::Useless(cause), kill_at: None };
                vec![Action::Signal(Signal::SIGKILL)]
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn back_off_until(&mut self, until: Instant) -> Vec<Action> {
        self.phase = Phase::Backoff { until };
        Vec::new()
    }

    /// An agent that has been ready for long enough makes up for those that fell before it.
    pub(super) fn forgive(&mut self, now: Instant) {
        if let Phase::Running { ready_at, .. } = self.phase
            && now >= ready_at + self.settings.ran_well
        {
            self.backoff.reset();
        }
    }

    /// Before any agent was ready, somebody may sit at the terminal and wants to see what is unusable; afterwards
    /// the supervisor stays, whatever happens. For a candidate's agent the committed release's is started at once.
    fn fell(&mut self, cause: Cause, now: Instant) -> Vec<Action> {
        match &self.phase {
            Phase::SteppingDown { next: Next::Committed { words }, .. } => {
                let mut actions = self.not_settled(cause, words.as_deref());
                actions.extend(self.spawn_of(Which::Committed, now));
                return actions;
            }
            Phase::SteppingDown { next: Next::Newcomer(newcomer), .. } => {
                let mut actions = self.turn_away(newcomer, cause);
                actions.extend(self.back_off_until(now));
                return actions;
            }
            _ => {}
        }
        if self.try_is_under_way() {
            let mut actions = self.try_failed(cause, now);
            actions.extend(self.back_off_until(now));
            return actions;
        }
        if !self.ever_ready && matches!(cause, Cause::Config | Cause::Spawn) {
            return self.end(Exit::Config);
        }
        self.restarts.count(cause);
        let pause = self.backoff.next_pause();
        self.back_off_until(now + pause)
    }

    fn ready(&mut self, now: Instant) -> Vec<Action> {
        if !matches!(self.phase, Phase::Starting { .. }) {
            return Vec::new();
        }
        self.ever_ready = true;
        self.note_ready();
        self.phase = Phase::Running { ready_at: now, heard_at: now };
        let mut actions =
            if self.candidate_runs() { self.unsettle(Follower::Candidate) } else { self.settle() };
        if self.reload_when_ready {
            actions.extend(self.reload());
        }
        actions
    }

    fn alive(&mut self, now: Instant) -> Vec<Action> {
        if let Phase::Running { heard_at, .. } = &mut self.phase {
            *heard_at = now;
        }
        self.prove()
    }

    /// A sign of life behind the gate proves a candidate, and a supervisor that takes over. All that the agent had said by the last
    /// tick was heard by then: what is heard later from before the end of the gate proves nothing.
    fn prove(&mut self) -> Vec<Action> {
        match self.gate_end() {
            Some(end) if self.ticked_at >= end => self.commit_candidate().unwrap_or(vec![Action::Commit]),
            _ => Vec::new(),
        }
    }

    /// Until when the present agent must be ready before it can prove itself; none: it need not.
    fn gate_end(&self) -> Option<Instant> {
        let Phase::Running { ready_at, .. } = self.phase else { return None };
        let gate = match self.takeover_until {
            _ if self.candidate_runs() => self.settings.trial_gate,
            Some(_) => self.settings.takeover_gate,
            None => return None,
        };
        Some(ready_at + gate)
    }

    pub(super) fn gate_deadline(&self) -> Option<Instant> {
        self.gate_end().filter(|end| self.ticked_at < *end)
    }

    fn agent_stops(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Starting { .. } | Phase::Running { .. }) {
            let kill_at = Some(now + self.settings.stop_timeout);
            self.phase = Phase::Stopping { why: Why::OwnWill, kill_at };
        }
    }
}
