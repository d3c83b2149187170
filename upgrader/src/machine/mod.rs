//! What a supervisor does, decided apart from how it is done: `(state, event, now) -> actions`.
//!
//! ```text
//!            spawn            ready             silent, stuck, told to end
//! Backoff ----------> Starting -----> Running -----------------------------> Stopping
//!    ^                    |              |                                       |
//!    |  ended by itself   |              |                     ended             |
//!    +--------------------+--------------+---------------------------------------+
//!    |                                             stepped down  asked to yield  |   told to end
//!    +--------- TakingBack <---------- Yielded <-- SteppingDown <----------------+-----> Ended
//!    seat taken             rollback,     |
//!                           left,         +--- commit ---> Ended
//!                           time over
//! ```
//!
//! What must hold at all times: at most one agent; none without the seat, so none while another supervisor has
//! it; a silent agent is killed; after a commit this supervisor ends; nothing that an agent does ends the
//! supervisor, except an unusable configuration before any agent was ever ready. A release on [`Trial`] goes through
//! the same phases; before its agent is started, the committed release may have to step down, which is a phase too. If it fails
//! before a takeover, the new supervisor is refused, and the committed release's agent is started at once. Where another
//! release's generation stays and that release does not, it is the one that has to step down; the committed one's agent is
//! started then, whatever came of it.

mod agent;
mod backoff;
mod clock;
mod event;
mod phase;
#[cfg(test)]
mod properties;
mod restarts;
#[cfg(test)]
mod rules;
mod settings;
mod step_down;
mod takeover;
mod trial;
mod words;

use std::time::{Duration, Instant};

pub use backoff::Backoff;
pub use event::{Action, Event, Follower, Peer, Record, Which};
pub use phase::{Next, Phase, Why};
pub use restarts::{Cause, Restarts};
pub use settings::Settings;
pub use takeover::Newcomer;
use trial::Trial;

use crate::Exit;
use evermesh_handover::Intent;

/// The state of a supervisor that holds the seat at first.
#[derive(Clone, Debug)]
pub struct Machine {
    settings: Settings,
    phase: Phase,
    backoff: Backoff,
    restarts: Restarts,
    status: Option<String>,
    last_exit: Option<String>,
    ever_ready: bool,
    /// How long the present agent may be silent; it may change that for itself.
    silence_max: Duration,
    /// The present agent must re-read its configuration once it can take the signal.
    reload_when_ready: bool,
    /// The old supervisor waits for a word, until then.
    takeover_until: Option<Instant>,
    /// It does not wait any more.
    predecessor_gone: bool,
    /// Another release is tried.
    trial: Option<Trial>,
    /// A try has failed, and the committed release's agent has not been started since.
    goes_back: bool,
    /// Another release's agent had a generation that may stay, and the committed one's has not been ready since: it may
    /// find maps that it does not know.
    unsettled: bool,
    ticked_at: Instant,
}

impl Machine {
    /// A supervisor that found nobody before it.
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            settings,
            phase: Phase::Backoff { until: now },
            backoff: Backoff::new(&settings),
            restarts: Restarts::default(),
            status: None,
            last_exit: None,
            ever_ready: false,
            silence_max: settings.watchdog,
            reload_when_ready: false,
            takeover_until: None,
            predecessor_gone: false,
            trial: None,
            goes_back: false,
            unsettled: false,
            ticked_at: now,
        }
    }

    /// A supervisor to which an old one has yielded.
    pub fn after_takeover(settings: Settings, now: Instant) -> Self {
        Self { takeover_until: Some(now + settings.take_over_within()), ..Self::new(settings, now) }
    }

    /// The same, and another release may have run after the committed one was last ready.
    pub fn unsettled(self) -> Self {
        Self { unsettled: true, ..self }
    }

    /// Takes in one event, and says what to do, in this order.
    pub fn step(&mut self, event: Event, now: Instant) -> Vec<Action> {
        self.forgive(now);
        match event {
            Event::Notice(notice) => self.noticed(notice, now),
            Event::Exited(status) => self.exited(status, now),
            Event::SpawnFailed(reason) => self.spawn_failed(reason, now),
            Event::Terminate => self.stop(Exit::Stopped(Intent::Restart), now),
            Event::Reload => self.reload(),
            Event::Request(peer, request) => self.requested(peer, request, now),
            Event::Left(peer) => self.left(peer, now),
            Event::SeatTaken => self.back_off_until(now),
            Event::SeatBusy => Vec::new(),
            Event::SeatUnwanted => self.end(Exit::Stopped(Intent::Uninstall)),
            Event::Considered(peer, trial) => self.considered(peer, trial, now),
            Event::Recorded => self.recorded(now),
            Event::NotRecorded(reason) => self.not_recorded(reason, now),
            Event::TakenOver => self.taken_over(),
            Event::NotTakenOver => self.not_taken_over(now),
            Event::NothingToStepDown => self.stepped_down(now),
            Event::Heard(heard) => self.heard(heard, now),
            Event::Tick => self.tick(now),
        }
    }

    /// When the next [`Event::Tick`] is due; none: only when something else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.phase.deadline(self.silence_max),
            self.gate_deadline(),
            self.takeover_deadline(),
            self.trial_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Where the agent is.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// How often it was replaced.
    pub fn restarts(&self) -> &Restarts {
        &self.restarts
    }

    /// What it last said about itself.
    pub fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// How the last one ended.
    pub fn last_exit(&self) -> Option<&str> {
        self.last_exit.as_deref()
    }

    /// Releases everything and ends; there must be no agent.
    fn end(&mut self, exit: Exit) -> Vec<Action> {
        self.phase = Phase::Ended;
        let waiting = self.takeover_until.take().filter(|_| !self.predecessor_gone);
        let rollback = waiting.map(|_| Action::Rollback);
        [Some(Action::ReleaseSeat), rollback, Some(Action::End(exit))].into_iter().flatten().collect()
    }
}
