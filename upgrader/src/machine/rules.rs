//! One rule a test: a supervisor in a state, an event, and what it does.

use std::{
    os::unix::process::ExitStatusExt as _,
    process::ExitStatus,
    time::{Duration, Instant},
};

use evermesh_handover::{
    Heard, Intent,
    message::{Answer, Phase as Word, Request},
    notify::Notice,
};
use nix::sys::signal::Signal;

use super::{Action, Cause, Event, Machine, Peer, Settings};
use crate::Exit;

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
        assert_eq!(self.tick(), [Action::Spawn]);
        assert_eq!(self.notice(Notice::Ready), []);
        self
    }

    fn yielded() -> Self {
        let mut scene = Self::running();
        assert_eq!(scene.ask(NEW), [Action::Signal(Signal::SIGTERM)]);
        let actions = scene.exit(0);
        assert_eq!(actions, [Action::ReleaseSeat, Action::Answer(NEW, Answer::Yielded)]);
        scene
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
        let ask = Request::Ask { release: "9".into(), pid: 9, commit_within_ms: Some(60_000) };
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

    fn word(&self) -> Word {
        self.machine.phase().word()
    }
}

fn refused(actions: &[Action]) -> bool {
    matches!(actions, [Action::Answer(_, Answer::Refused { .. })])
}

#[test]
fn a_crashed_agent_is_replaced_at_once_and_counted() {
    let mut scene = Scene::running();
    assert_eq!(scene.exit(1), []);
    assert_eq!(scene.tick(), [Action::Spawn]);
    assert_eq!(scene.machine.restarts().of(Cause::Crash), 1);
    assert_eq!(scene.machine.last_exit(), Some("exit status: 1"));
}

#[test]
fn a_crash_loop_backs_off_up_to_the_cap_and_never_ends() {
    let mut scene = Scene::fresh();
    let mut pauses = Vec::new();
    scene.tick();
    for _ in 0..12 {
        assert_eq!(scene.exit(1), []);
        let (pause, actions) = scene.tick_at_deadline();
        assert_eq!(actions, [Action::Spawn]);
        pauses.push(pause.as_millis());
    }
    assert_eq!(pauses, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000]);
}

#[test]
fn an_agent_that_ran_well_is_replaced_at_once_again() {
    let mut scene = Scene::running();
    for _ in 0..5 {
        scene.exit(1);
        scene.tick_at_deadline();
    }
    scene.notice(Notice::Ready);
    scene.now += Settings::default().ran_well;
    scene.exit(1);
    assert_eq!(scene.tick(), [Action::Spawn]);
}

#[test]
fn a_silent_agent_is_killed_and_replaced_at_once() {
    let mut scene = Scene::running();
    let (silence, actions) = scene.tick_at_deadline();
    assert_eq!((silence, actions), (Settings::default().watchdog, vec![Action::Signal(Signal::SIGKILL)]));
    scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(scene.tick(), [Action::Spawn]);
    assert_eq!(
        (scene.machine.restarts().of(Cause::Hung), scene.machine.restarts().of(Cause::Killed)),
        (1, 0)
    );
}

#[test]
fn a_word_of_life_moves_the_deadline() {
    let mut scene = Scene::running();
    scene.now += Duration::from_secs(4);
    scene.notice(Notice::Alive);
    assert_eq!(scene.machine.deadline(), Some(scene.now + Settings::default().watchdog));
}

#[test]
fn silence_that_the_supervisor_itself_overslept_is_forgiven_once() {
    let mut scene = Scene::running();
    scene.now += Duration::from_secs(3600);
    assert_eq!(scene.tick(), []);
    let (silence, actions) = scene.tick_at_deadline();
    assert_eq!((silence, actions), (Settings::default().watchdog, vec![Action::Signal(Signal::SIGKILL)]));
}

#[test]
fn an_agent_may_say_that_it_is_stuck_or_how_long_it_will_be_silent() {
    assert_eq!(Scene::running().notice(Notice::Stuck), [Action::Signal(Signal::SIGKILL)]);
    let mut scene = Scene::running();
    scene.notice(Notice::SilenceMax(Duration::from_secs(77)));
    assert_eq!(scene.machine.deadline(), Some(scene.now + Duration::from_secs(77)));
    scene.exit(1);
    let mut scene = scene.started();
    assert_eq!(scene.tick_at_deadline().0, Settings::default().watchdog);
}

#[test]
fn an_agent_that_does_not_become_ready_is_killed() {
    let mut scene = Scene::fresh();
    scene.tick();
    let (time, actions) = scene.tick_at_deadline();
    assert_eq!((time, actions), (Settings::default().start_timeout, vec![Action::Signal(Signal::SIGKILL)]));
    scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(scene.machine.restarts().of(Cause::StartTimeout), 1);
}

#[test]
fn an_agent_that_says_it_stops_gets_the_time_for_it_then_the_next_one_starts() {
    let mut scene = Scene::running();
    assert_eq!(scene.notice(Notice::Stopping), []);
    let (time, actions) = scene.tick_at_deadline();
    assert_eq!((time, actions), (Settings::default().stop_timeout, vec![Action::Signal(Signal::SIGKILL)]));
    scene.exit(0);
    assert_eq!(scene.tick(), [Action::Spawn]);
    assert_eq!(scene.machine.restarts().of(Cause::Exit), 1);
}

#[test]
fn an_unusable_configuration_ends_the_first_start_only() {
    let mut first = Scene::fresh();
    first.tick();
    assert_eq!(first.exit(78), [Action::ReleaseSeat, Action::End(Exit::Config)]);

    let mut later = Scene::running();
    later.notice(Notice::Status("mesh.yaml:3: unknown field".into()));
    assert_eq!(later.exit(78), []);
    assert_eq!(later.tick(), [Action::Spawn]);
    assert_eq!(later.exit(78), []);
    assert_eq!(later.word(), Word::Backoff);
    assert_eq!(later.machine.restarts().of(Cause::Config), 2);
    assert_eq!(later.machine.status(), Some("mesh.yaml:3: unknown field"));
}

#[test]
fn an_agent_that_cannot_be_started_ends_the_first_start_only() {
    let mut first = Scene::fresh();
    first.tick();
    assert_eq!(
        first.step(Event::SpawnFailed("no such file".into())),
        [Action::ReleaseSeat, Action::End(Exit::Config)]
    );

    let mut later = Scene::running();
    later.exit(1);
    later.tick();
    assert_eq!(later.step(Event::SpawnFailed("no memory".into())), []);
    assert_eq!(later.tick_at_deadline().1, [Action::Spawn]);
    assert_eq!(later.machine.last_exit(), Some("no memory"));
}

#[test]
fn sigterm_asks_the_agent_then_kills_it_and_ends() {
    let mut scene = Scene::running();
    assert_eq!(scene.step(Event::Terminate), [Action::Signal(Signal::SIGTERM)]);
    assert_eq!(scene.step(Event::Terminate), []);
    let (time, actions) = scene.tick_at_deadline();
    assert_eq!((time, actions), (Settings::default().stop_timeout, vec![Action::Signal(Signal::SIGKILL)]));
    let killed = scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(killed, [Action::ReleaseSeat, Action::End(STOPPED)]);
    assert_eq!(scene.machine.deadline(), None);
}

#[test]
fn sigterm_between_two_agents_ends_at_once() {
    let mut scene = Scene::running();
    scene.exit(1);
    assert_eq!(scene.step(Event::Terminate), [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn sigterm_while_a_hung_agent_dies_starts_no_other() {
    let mut scene = Scene::running();
    scene.tick_at_deadline();
    assert_eq!(scene.step(Event::Terminate), []);
    let actions = scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(actions, [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn a_stop_request_is_answered_and_ends_with_its_intent() {
    let mut scene = Scene::running();
    let stop = Request::Stop { intent: Intent::Uninstall };
    let actions = scene.step(Event::Request(OTHER, stop));
    assert_eq!(actions, [Action::Answer(OTHER, Answer::Stopping), Action::Signal(Signal::SIGTERM)]);
    let actions = scene.exit(0);
    assert_eq!(actions, [Action::ReleaseSeat, Action::End(Exit::Stopped(Intent::Uninstall))]);
}

#[test]
fn sighup_reaches_an_agent_only_when_it_can_take_it() {
    let mut scene = Scene::fresh();
    scene.tick();
    assert_eq!(scene.step(Event::Reload), []);
    assert_eq!(scene.notice(Notice::Ready), [Action::Signal(Signal::SIGHUP)]);
    assert_eq!(scene.step(Event::Reload), [Action::Signal(Signal::SIGHUP)]);
    scene.exit(1);
    assert_eq!(scene.step(Event::Reload), []);
    scene.started();
}

#[test]
fn a_commit_ends_the_old_supervisor() {
    let mut scene = Scene::yielded();
    assert!(refused(&scene.step(Event::Request(OTHER, Request::Commit))));
    let actions = scene.step(Event::Request(NEW, Request::Commit));
    assert_eq!(actions, [Action::ReleaseSeat, Action::End(Exit::HandedOver)]);
}

#[test]
fn a_rollback_a_loss_or_silence_of_the_new_supervisor_makes_the_old_one_take_back() {
    let events = [Event::Request(NEW, Request::Rollback), Event::Left(NEW), Event::Tick];
    for event in events {
        let mut scene = Scene::yielded();
        if matches!(event, Event::Tick) {
            scene.now += Duration::from_secs(60);
        }
        assert_eq!(scene.step(event), [Action::Answer(NEW, Answer::TakenBack)]);
        assert_eq!(scene.tick(), [Action::TakeSeat]);
        assert_eq!(scene.step(Event::SeatBusy), []);
        assert_eq!(scene.tick_at_deadline(), (Duration::from_millis(50), vec![Action::TakeSeat]));
        assert_eq!(scene.step(Event::SeatTaken), []);
        scene.started();
    }
}

#[test]
fn a_new_supervisor_that_keeps_the_seat_is_killed_once() {
    let mut scene = Scene::yielded();
    scene.step(Event::Request(NEW, Request::Rollback));
    scene.now += Duration::from_secs(20);
    assert_eq!(scene.tick(), [Action::KillPeer(NEW), Action::TakeSeat]);
    assert_eq!(scene.tick_at_deadline().1, [Action::TakeSeat]);
}

#[test]
fn a_commit_that_crosses_taking_back_still_counts_until_the_seat_is_taken() {
    let mut scene = Scene::yielded();
    scene.now += Duration::from_secs(60);
    scene.tick();
    let mut taken = Scene { machine: scene.machine.clone(), now: scene.now };
    let actions = scene.step(Event::Request(NEW, Request::Commit));
    assert_eq!(actions, [Action::ReleaseSeat, Action::End(Exit::HandedOver)]);

    taken.step(Event::SeatTaken);
    assert!(refused(&taken.step(Event::Request(NEW, Request::Commit))));
}

#[test]
fn a_new_supervisor_that_leaves_before_it_got_the_seat_changes_nothing() {
    let mut scene = Scene::running();
    scene.ask(NEW);
    scene.step(Event::Left(NEW));
    assert_eq!(scene.exit(0), []);
    assert_eq!(scene.tick(), [Action::Spawn]);
    assert_eq!(scene.machine.restarts().of(Cause::Exit), 0);
}

#[test]
fn only_one_new_supervisor_at_a_time_and_none_at_the_end() {
    let mut scene = Scene::running();
    scene.ask(NEW);
    assert!(refused(&scene.ask(OTHER)));
    scene.exit(0);
    assert!(refused(&scene.ask(OTHER)));
    scene.step(Event::Left(NEW));
    assert!(refused(&scene.ask(OTHER)));

    let mut ending = Scene::running();
    ending.step(Event::Terminate);
    assert!(refused(&ending.ask(NEW)));
    assert!(refused(&Scene::after_takeover().ask(NEW)));
}

#[test]
fn without_an_agent_the_seat_is_yielded_at_once() {
    let mut scene = Scene::running();
    scene.exit(1);
    assert_eq!(scene.ask(NEW), [Action::ReleaseSeat, Action::Answer(NEW, Answer::Yielded)]);
}

#[test]
fn a_new_supervisor_commits_when_its_agent_was_ready_for_the_time_of_the_gate() {
    let mut scene = Scene::after_takeover().started();
    let (time, actions) = scene.tick_at_deadline();
    assert_eq!((time, actions), (Settings::default().takeover_gate, vec![Action::Commit]));
    scene.exit(1);
    assert_eq!(scene.step(Event::Terminate), [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn a_new_supervisor_whose_agent_does_not_become_ready_gives_back() {
    let mut scene = Scene::after_takeover();
    let until = scene.now + Settings::default().takeover_timeout;
    while scene.now < until {
        let (_, actions) = scene.tick_at_deadline();
        if actions == [Action::Signal(Signal::SIGKILL)] {
            scene.step(Event::Exited(ExitStatus::from_raw(9)));
        }
    }
    assert_eq!(scene.exit(0), [Action::ReleaseSeat, Action::Rollback, Action::End(Exit::RolledBack)]);
}

#[test]
fn giving_back_stops_the_agent_releases_the_seat_and_only_then_says_so() {
    for event in [Event::Heard(Heard::TakenBack), Event::Terminate] {
        let exit = if matches!(event, Event::Terminate) { STOPPED } else { Exit::RolledBack };
        let mut scene = Scene::after_takeover().started();
        assert_eq!(scene.step(event), [Action::Signal(Signal::SIGTERM)]);
        assert_eq!(scene.exit(0), [Action::ReleaseSeat, Action::Rollback, Action::End(exit)]);
    }
}

#[test]
fn a_new_supervisor_with_an_unusable_configuration_gives_back_at_once() {
    let mut scene = Scene::after_takeover();
    scene.tick();
    assert_eq!(scene.exit(78), [Action::ReleaseSeat, Action::Rollback, Action::End(Exit::Config)]);
}

#[test]
fn a_new_supervisor_stays_when_the_old_one_is_gone() {
    let mut scene = Scene::after_takeover();
    scene.tick();
    assert_eq!(scene.step(Event::Heard(Heard::Gone)), []);
    scene.exit(1);
    scene.now += Settings::default().takeover_timeout;
    assert_eq!(scene.tick(), [Action::Spawn]);
}
