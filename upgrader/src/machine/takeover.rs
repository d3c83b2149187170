//! Both sides of a takeover: yielding to a new supervisor, and following an old one.

use std::time::{Duration, Instant};

use evermesh_handover::{
    Heard,
    message::{Answer, Request},
};

use super::{
    Action, Cause, Follower, Machine, Next, Peer, Phase, Why, step_down::SETTLING, words::COMMITTED,
};
use crate::Exit;

const COMMIT_WITHIN: Duration = Duration::from_secs(120);
const COMMIT_WITHIN_MAX: Duration = Duration::from_secs(3600);
const SEAT_RETRY: Duration = Duration::from_millis(50);

/// A new supervisor that has asked for the seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its connection.
    pub peer: Peer,
    /// How long it may take.
    pub within: Duration,
    /// The release whose agent it will start, by its digest; none: it did not say.
    pub release: Option<String>,
    /// Maps that this agent may do without what stands in.
    pub accept_loss: Vec<String>,
    /// What the release that steps down for it said last.
    pub words: Option<String>,
}

impl Newcomer {
    fn new(peer: Peer, within_ms: Option<u64>, release: Option<String>, accept_loss: Vec<String>) -> Self {
        let within = within_ms.map_or(COMMIT_WITHIN, Duration::from_millis).min(COMMIT_WITHIN_MAX);
        Self { peer, within, release, accept_loss, words: None }
    }
}

impl Machine {
    pub(super) fn requested(&mut self, peer: Peer, request: Request, now: Instant) -> Vec<Action> {
        match request {
            Request::Status => vec![Action::Report(peer)],
            Request::Judge { evidence } => self.judge(peer, &evidence),
            Request::Stop { intent } => {
                let mut actions = vec![Action::Answer(peer, Answer::Stopping)];
                actions.extend(self.stop(Exit::Stopped(intent), now));
                actions
            }
            Request::Ask { commit_within_ms, digest, .. } => {
                self.asked(Newcomer::new(peer, commit_within_ms, digest, Vec::new()), now)
            }
            Request::AskWithLoss { commit_within_ms, digest, accept_loss, .. } => {
                self.asked(Newcomer::new(peer, commit_within_ms, digest, accept_loss), now)
            }
            Request::Upgrade { release, tries } => self.upgrade_asked(peer, release, tries, Vec::new()),
            Request::UpgradeWithLoss { release, tries, accept_loss } => {
                self.upgrade_asked(peer, release, tries, accept_loss)
            }
            Request::Commit if self.has_yielded_to(peer) => self.end(Exit::HandedOver),
            Request::Rollback if self.has_yielded_to(peer) => self.take_back(peer, now),
            Request::Commit | Request::Rollback => refuse(peer, "nothing has been yielded to you"),
        }
    }

    pub(super) fn left(&mut self, peer: Peer, now: Instant) -> Vec<Action> {
        match &self.phase {
            Phase::Yielded { peer: new, .. } if *new == peer => self.take_back(peer, now),
            Phase::Stopping { why: Why::Yield(new), .. }
            | Phase::SteppingDown { next: Next::Newcomer(new), .. }
                if new.peer == peer =>
            {
                self.stop_agent(Why::Unasked, now)
            }
            _ => Vec::new(),
        }
    }

    /// There is no agent: the seat is the newcomer's once the committed release has stepped down, or need not.
    pub(super) fn make_way_for(&mut self, newcomer: Newcomer, now: Instant) -> Vec<Action> {
        self.step_down(Next::Newcomer(newcomer), now)
    }

    pub(super) fn yield_to(&mut self, newcomer: Newcomer, now: Instant) -> Vec<Action> {
        let Newcomer { peer, within, release, accept_loss, .. } = newcomer;
        self.phase = Phase::Yielded { peer, until: now + within };
        let mut actions = self.unsettle(Follower::Newcomer { release, accept_loss });
        actions.extend([Action::ReleaseSeat, Action::Answer(peer, Answer::Yielded)]);
        actions
    }

    /// The committed release could not step down: the newcomer learns why, and gets nothing.
    pub(super) fn turn_away(&self, newcomer: &Newcomer, cause: Cause) -> Vec<Action> {
        refuse(newcomer.peer, &self.reason_of_step_down(COMMITTED, cause, newcomer.words.as_deref()))
    }

    /// The new supervisor is told at once and may still commit, as long as it holds the seat.
    pub(super) fn take_back(&mut self, peer: Peer, now: Instant) -> Vec<Action> {
        if matches!(self.phase, Phase::Yielded { .. }) {
            let kill_at = Some(now + self.settings.stop_timeout * 2);
            self.phase = Phase::TakingBack { peer, retry_at: now, kill_at };
        }
        vec![Action::Answer(peer, Answer::TakenBack)]
    }

    /// The new supervisor had time to stop its agent; if it still holds the seat, it hangs.
    pub(super) fn retry_seat(&mut self, now: Instant) -> Vec<Action> {
        let Phase::TakingBack { peer, retry_at, kill_at } = &mut self.phase else { return Vec::new() };
        *retry_at = now + SEAT_RETRY;
        let kill = kill_at.take_if(|at| *at <= now).map(|_| Action::KillPeer(*peer));
        kill.into_iter().chain([Action::TakeSeat]).collect()
    }

    /// The old supervisor takes back: give way. It is gone: nobody is left to go back to, so stay, and prove yourself
    /// for the ledger's sake.
    pub(super) fn heard(&mut self, heard: Heard, now: Instant) -> Vec<Action> {
        match (heard, self.takeover_until) {
            (Heard::TakenBack, Some(_)) => self.stop(Exit::RolledBack, now),
            (Heard::Gone, Some(_)) => {
                self.predecessor_gone = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn taken_over(&mut self) -> Vec<Action> {
        (self.takeover_until, self.predecessor_gone) = (None, false);
        Vec::new()
    }

    /// The old supervisor takes back; where it is gone, nobody else is there to run.
    pub(super) fn not_taken_over(&mut self, now: Instant) -> Vec<Action> {
        match self.predecessor_gone {
            true => self.taken_over(),
            false => self.stop(Exit::RolledBack, now),
        }
    }

    fn asked(&mut self, newcomer: Newcomer, now: Instant) -> Vec<Action> {
        let peer = newcomer.peer;
        if self.takeover_until.is_some() {
            return refuse(
                peer,
                "this supervisor is taking over itself and has not proven itself yet; try again",
            );
        }
        if self.trial.is_some() {
            return refuse(
                peer,
                "a release is being tried; try again when `evermesh upgrade status` shows no candidate",
            );
        }
        match self.phase {
            Phase::Starting { .. } | Phase::Running { .. } => {}
            Phase::Stopping { why: Why::OwnWill | Why::Useless(_) | Why::Unasked | Why::Trial, .. } => {}
            Phase::Backoff { .. } => return self.make_way_for(newcomer, now),
            Phase::Stopping { why: Why::Unsettled, .. }
            | Phase::SteppingDown { next: Next::Committed { .. }, .. } => return refuse(peer, SETTLING),
            Phase::Stopping { why: Why::Yield(_), .. }
            | Phase::SteppingDown { .. }
            | Phase::Yielded { .. } => {
                return refuse(peer, "this supervisor is yielding to another one");
            }
            Phase::TakingBack { .. } => return refuse(peer, "this supervisor is taking back; try again"),
            Phase::Stopping { why: Why::End(_), .. } | Phase::Ended => {
                return refuse(peer, "this supervisor is ending; start without a takeover when it has");
            }
        }
        self.stop_agent(Why::Yield(newcomer), now)
    }

    fn has_yielded_to(&self, peer: Peer) -> bool {
        matches!(self.phase, Phase::Yielded { peer: new, .. } | Phase::TakingBack { peer: new, .. } if new == peer)
    }
}

fn refuse(peer: Peer, reason: &str) -> Vec<Action> {
    vec![Action::Answer(peer, Answer::refused(reason))]
}
