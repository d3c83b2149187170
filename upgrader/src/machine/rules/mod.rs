//! One rule a test: a supervisor in a state, an event, and what it does.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
    time::{Duration, Instant},
};

use evermesh_handover::{
    Intent,
    message::{Answer, Phase as Word, Request},
    notify::Notice,
};
use nix::sys::signal::Signal;

use super::{Action, Cause, Event, Follower, Machine, Peer, Record, Settings, Which};
use crate::Exit;

mod agent;
mod step_down;
mod takeover;
mod trial;

const NEW: Peer = Peer(1);
const OTHER: Peer = Peer(2);
const STOPPED: Exit = Exit::Stopped(Intent::Restart);

/// A machine and a clock that moves only when it is told to.
struct Scene {
    machine: Machine,
    now: Instant,
}

impl Scene {
    fn fresh() -> Self {
        let now = Instant::now();
        Self { machine: Machine::new(Settings::default(), now), now }
    }

    fn after_takeover() -> Self {
        let now = Instant::now();
        Self { machine: Machine::after_takeover(Settings::default(), now), now }
    }

    fn running() -> Self {
        Self::fresh().started()
    }

    fn started(mut self) -> Self {
        assert_eq!(self.tick(), [Action::Spawn(Which::Committed)]);
        assert_eq!(self.notice(Notice::Ready), []);
        self
    }

    fn yielded() -> Self {
        let mut scene = Self::making_way();
        assert_eq!(scene.step(Event::NothingToStepDown), yielded());
        scene
    }

    /// The agent has ended for a new supervisor.
    fn making_way() -> Self {
        let mut scene = Self::running();
        assert_eq!(scene.ask(NEW), [Action::Signal(Signal::SIGTERM)]);
        assert_eq!(scene.exit(0), [steps_down()]);
        assert_eq!(scene.word(), Word::SteppingDown);
        scene
    }

    /// The committed release runs, after another one that had nothing to step down from.
    fn settled(mut self) -> Self {
        assert_eq!(self.tick(), [Action::StepDown(Follower::Committed)]);
        assert_eq!(self.step(Event::NothingToStepDown), [Action::Spawn(Which::Committed)]);
        assert_eq!(self.notice(Notice::Ready), recorded(Record::Settled));
        self
    }

    fn step(&mut self, event: Event) -> Vec<Action> {
        self.machine.step(event, self.now)
    }

    fn notice(&mut self, notice: Notice) -> Vec<Action> {
        self.step(Event::Notice(notice))
    }

    fn exit(&mut self, code: i32) -> Vec<Action> {
        self.step(Event::Exited(ExitStatus::from_raw(code << 8)))
    }

    fn ask(&mut self, peer: Peer) -> Vec<Action> {
        let (release, digest) = ("9".into(), Some("c".into()));
        let ask = Request::Ask { release, pid: 9, commit_within_ms: Some(60_000), digest };
        self.step(Event::Request(peer, ask))
    }

    fn tick(&mut self) -> Vec<Action> {
        self.step(Event::Tick)
    }

    /// Ticks at the next deadline, and says how long that took.
    fn tick_at_deadline(&mut self) -> (Duration, Vec<Action>) {
        let deadline = self.machine.deadline().unwrap();
        let passed = deadline - self.now;
        self.now = deadline;
        (passed, self.tick())
    }

    /// The present agent, which is ready, was so for the time of its gate.
    fn past_its_gate(mut self) -> Self {
        assert_eq!(self.tick_at_deadline(), (Settings::default().takeover_gate, vec![]));
        self
    }

    fn word(&self) -> Word {
        self.machine.phase().word()
    }
}

/// The release of a new supervisor.
fn newcomer() -> Follower {
    Follower::Newcomer { release: Some("c".into()), accept_loss: Vec::new() }
}

fn steps_down() -> Action {
    Action::StepDown(newcomer())
}

fn yielded() -> Vec<Action> {
    let unsettled = Action::Record(Record::Unsettled(newcomer()));
    vec![unsettled, Action::ReleaseSeat, Action::Answer(NEW, Answer::Yielded)]
}

fn recorded(record: Record) -> Vec<Action> {
    vec![Action::Record(record)]
}

fn refused(actions: &[Action]) -> bool {
    matches!(actions, [Action::Answer(_, Answer::Refused { .. })])
}
