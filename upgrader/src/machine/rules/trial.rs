//! Releases that are tried, prove themselves, or make place again.

use super::*;

const CANDIDATE: Action = Action::Spawn(Which::Candidate);
const COMMITTED: Action = Action::Spawn(Which::Committed);
const SIGTERM: Action = Action::Signal(Signal::SIGTERM);

impl Scene {
    fn upgrade(&mut self) -> Vec<Action> {
        self.step(Event::Request(NEW, Request::Upgrade { release: "b".into(), tries: 1 }))
    }

    /// The committed agent has made place, and the candidate's starts.
    pub(super) fn trying(tries: u32) -> Self {
        let mut scene = Self::running();
        scene.upgrade();
        let actions = scene.step(Event::Considered(NEW, Ok((7, tries))));
        assert_eq!(actions, [Action::Answer(NEW, Answer::Upgrading { trial: 7 }), SIGTERM]);
        assert_eq!(scene.exit(0), []);
        scene.try_begins()
    }

    fn try_begins(mut self) -> Self {
        assert_eq!(self.tick(), recorded(Record::Try));
        assert_eq!(self.step(Event::Recorded), [Action::StepDown(Follower::Candidate)]);
        assert_eq!(self.step(Event::NothingToStepDown), [CANDIDATE]);
        self
    }

    /// The committed release has begun to step down.
    fn stepping_down() -> Self {
        let mut scene = Self::running();
        scene.upgrade();
        scene.step(Event::Considered(NEW, Ok((7, 1))));
        scene.exit(0);
        scene.tick();
        assert_eq!(scene.step(Event::Recorded), [Action::StepDown(Follower::Candidate)]);
        assert_eq!(scene.word(), Word::SteppingDown);
        scene
    }

    fn past_the_gate() -> Self {
        let mut scene = Self::trying(1);
        scene.notice(Notice::Ready);
        scene.past_its_gate()
    }
}

#[test]
fn a_release_is_looked_at_before_the_agent_is_asked_to_make_place() {
    let mut scene = Scene::running();
    let consider = |accept_loss| [Action::Consider { peer: NEW, release: "b".into(), tries: 1, accept_loss }];
    assert_eq!(scene.upgrade(), consider(vec![]));
    let maps = || vec!["origins".to_owned()];
    let declared = Request::UpgradeWithLoss { release: "b".into(), tries: 1, accept_loss: maps() };
    assert_eq!(scene.step(Event::Request(NEW, declared)), consider(maps()));
    assert!(refused(&scene.step(Event::Considered(NEW, Err("it is damaged".into())))));
    assert_eq!((scene.word(), &scene.machine.trial), (Word::Running, &None));
}

#[test]
fn the_first_sign_of_life_after_the_gate_commits() {
    let mut scene = Scene::trying(1);
    scene.notice(Notice::Ready);
    assert_eq!(scene.notice(Notice::Alive), []);
    scene.now += Settings::default().trial_gate;
    assert_eq!(scene.tick(), []);
    assert_eq!(scene.notice(Notice::Alive), recorded(Record::Commit));
    assert_eq!(scene.step(Event::Recorded), []);
    assert_eq!((scene.exit(1), scene.tick()), (vec![], vec![COMMITTED]));
    assert_eq!(scene.machine.restarts().of(Cause::Crash), 1);
}

#[test]
fn a_candidate_that_falls_makes_place_at_once_and_is_held_without_another_try() {
    let mut scene = Scene::trying(1);
    scene.notice(Notice::Status("table slots is full".into()));
    let reason = "the agent ended before it was ready (exit status: 78); it last said: table slots is full";
    assert_eq!(scene.exit(78), recorded(Record::Held(reason.into())));
    assert_eq!(scene.tick(), [COMMITTED]);
    assert_eq!(scene.machine.trial, None);
    assert_eq!(scene.machine.restarts().of(Cause::Config), 0);
}

#[test]
fn a_candidate_that_hangs_after_it_was_ready_is_not_committed() {
    let mut scene = Scene::past_the_gate();
    assert_eq!(scene.tick(), []);
    let (_, actions) = scene.tick_at_deadline();
    assert_eq!(actions, [Action::Signal(Signal::SIGKILL)]);
    let killed = scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(killed, recorded(Record::Held("the agent hung after it was ready, within the gate".into())));
    scene.settled();
}

#[test]
fn a_supervisor_that_overslept_takes_nothing_for_a_sign_of_life() {
    let mut scene = Scene::trying(1);
    scene.notice(Notice::Ready);
    scene.now += Duration::from_secs(3600);
    assert_eq!((scene.notice(Notice::Alive), scene.tick()), (vec![], vec![]));
    assert_eq!(scene.tick_at_deadline().1, [Action::Signal(Signal::SIGKILL)]);
}

#[test]
fn a_candidate_that_does_not_become_ready_or_cannot_be_started_is_held() {
    let mut scene = Scene::trying(1);
    assert_eq!(scene.tick_at_deadline().1, [Action::Signal(Signal::SIGKILL)]);
    let killed = scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(killed, recorded(Record::Held("the agent did not become ready within 60000 ms".into())));

    let mut scene = Scene::trying(1);
    let failed = scene.step(Event::SpawnFailed("no such file".into()));
    assert_eq!(failed, recorded(Record::Held("no such file".into())));
    assert_eq!(scene.tick(), [COMMITTED]);
}

#[test]
fn a_candidate_is_started_once_the_committed_release_has_stepped_down() {
    let mut scene = Scene::stepping_down();
    assert_eq!((scene.notice(Notice::Ready), scene.notice(Notice::Alive)), (vec![], vec![]));
    assert_eq!(scene.exit(0), [CANDIDATE]);
    assert_eq!(scene.step(Event::NothingToStepDown), []);
}

#[test]
fn a_step_down_that_fails_or_takes_too_long_holds_the_candidate() {
    let mut scene = Scene::stepping_down();
    scene.notice(Notice::Status("a link was switched by somebody else".into()));
    let reason = "the committed release did not step down (exit status: 1); it last said: a link was switched by somebody else";
    assert_eq!(scene.exit(1), recorded(Record::Held(reason.into())));
    assert_eq!(scene.tick(), [COMMITTED]);

    let mut scene = Scene::stepping_down();
    assert_eq!(scene.tick_at_deadline().1, [Action::Signal(Signal::SIGKILL)]);
    let killed = scene.step(Event::Exited(ExitStatus::from_raw(9)));
    let reason = "the committed release did not step down within 63000 ms";
    assert_eq!(killed, recorded(Record::Held(reason.into())));
    assert_eq!(scene.tick(), [COMMITTED]);
}

#[test]
fn told_to_end_while_it_steps_down_the_try_is_given_back() {
    let mut scene = Scene::stepping_down();
    assert_eq!(scene.step(Event::Terminate), [Action::Record(Record::GivenBack), SIGTERM]);
    assert_eq!(scene.exit(0), [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn after_a_failed_try_the_committed_release_runs_however_late_the_supervisor_is() {
    let mut scene = Scene::trying(2);
    scene.exit(1);
    scene.now += Duration::from_secs(3600);
    assert_eq!(scene.tick(), [COMMITTED]);
}

#[test]
fn between_tries_the_committed_release_runs_for_longer_each_time() {
    let mut scene = Scene::trying(3);
    for pause in [10, 60] {
        assert!(matches!(scene.exit(1)[..], [Action::Record(Record::Failed(_))]));
        assert_eq!(scene.tick(), [COMMITTED]);
        scene.notice(Notice::Ready);
        scene.notice(Notice::SilenceMax(Duration::from_secs(3600)));
        assert_eq!(scene.tick_at_deadline(), (Duration::from_secs(pause), vec![SIGTERM]));
        assert_eq!(scene.exit(0), []);
        scene = scene.try_begins();
    }
    assert!(matches!(scene.exit(1)[..], [Action::Record(Record::Held(_))]));
    assert_eq!(scene.tick(), [COMMITTED]);
}

#[test]
fn what_cannot_be_written_down_does_not_happen() {
    let mut scene = Scene::running();
    scene.upgrade();
    scene.step(Event::Considered(NEW, Ok((1, 1))));
    scene.exit(0);
    assert_eq!(scene.tick(), recorded(Record::Try));
    assert_eq!(scene.step(Event::NotRecorded("full".into())), recorded(Record::Held("full".into())));
    assert_eq!(scene.tick(), [COMMITTED]);

    let mut scene = Scene::past_the_gate();
    scene.notice(Notice::Alive);
    let refused = scene.step(Event::NotRecorded("full".into()));
    assert_eq!(refused, [Action::Record(Record::Held("full".into())), SIGTERM]);
    assert_eq!(scene.exit(0), []);
    scene.settled();
}

#[test]
fn told_to_end_a_try_is_given_back_unless_it_has_failed_already() {
    let mut scene = Scene::trying(1);
    assert_eq!(scene.step(Event::Terminate), [Action::Record(Record::GivenBack), SIGTERM]);
    assert_eq!(scene.exit(0), [Action::ReleaseSeat, Action::End(STOPPED)]);

    let mut hung = Scene::past_the_gate();
    hung.tick_at_deadline();
    assert!(matches!(hung.step(Event::Terminate)[..], [Action::Record(Record::Held(_))]));

    let mut between = Scene::trying(2);
    between.exit(1);
    assert_eq!(between.step(Event::Terminate), [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn only_one_trial_at_a_time_and_no_takeover_meanwhile() {
    let mut scene = Scene::trying(1);
    assert!(refused(&scene.upgrade()));
    assert!(refused(&scene.ask(OTHER)));
    assert!(refused(&Scene::after_takeover().upgrade()));
    assert!(refused(&Scene::yielded().upgrade()));
    let mut ending = Scene::running();
    ending.step(Event::Terminate);
    assert!(refused(&ending.upgrade()));
}

#[test]
fn a_start_tries_a_candidate_first_unless_it_has_just_failed() {
    let now = Instant::now();
    let fresh = Machine::new(Settings::default(), now);
    let mut scene = Scene { machine: fresh.clone().with_trial(3, false), now };
    assert_eq!(scene.tick(), recorded(Record::Try));
    assert_eq!(scene.step(Event::Recorded), [Action::StepDown(Follower::Candidate)]);
    assert_eq!(scene.step(Event::NothingToStepDown), [CANDIDATE]);
    assert!(matches!(scene.exit(1)[..], [Action::Record(Record::Failed(_))]), "two more tries are left");

    let mut scene = Scene { machine: fresh.with_trial(2, true), now };
    assert_eq!(scene.tick(), [COMMITTED]);
}

#[test]
fn a_new_supervisor_whose_old_one_is_gone_still_proves_itself() {
    let mut scene = Scene::after_takeover().started();
    assert_eq!(scene.step(Event::Heard(evermesh_handover::Heard::Gone)), []);
    scene.tick_at_deadline();
    assert_eq!(scene.notice(Notice::Alive), [Action::Commit]);
}
