//! A release whose generation stayed, and which did not: it steps down before the committed one runs again.

use evermesh_handover::gate::{Evidence, Verdict};

use super::*;

const STEP_DOWN: Action = Action::StepDown(Follower::Committed);
const COMMITTED: Action = Action::Spawn(Which::Committed);
const SIGKILL: Action = Action::Signal(Signal::SIGKILL);

fn unsettled() -> Action {
    Action::Record(Record::Unsettled(Follower::Candidate))
}

fn not_settled(reason: &str) -> Action {
    Action::Record(Record::NotSettled(format!("the release that ran before {reason}")))
}

impl Scene {
    fn judged(&mut self, evidence: Evidence) -> Vec<Action> {
        self.step(Event::Request(NEW, Request::Judge { evidence }))
    }

    /// The candidate has fallen when its generation stayed, and steps down.
    fn stepping_back() -> Self {
        let mut scene = Self::trying(1);
        scene.judged(good());
        assert!(matches!(scene.exit(1)[..], [Action::Record(Record::Held(_))]));
        assert_eq!((scene.tick(), scene.word()), (vec![STEP_DOWN], Word::SteppingDown));
        scene
    }
}

fn good() -> Evidence {
    Evidence { age_ms: 60_000, ..Evidence::default() }
}

fn verdict(verdict: Verdict) -> Action {
    Action::Answer(NEW, Answer::Judged { verdict })
}

#[test]
fn that_a_generation_stays_is_written_down_before_the_candidate_hears_it() {
    let mut scene = Scene::trying(1);
    assert_eq!(scene.judged(Evidence::default()), [verdict(Verdict::Wait)]);
    assert_eq!(scene.judged(good()), [unsettled(), verdict(Verdict::Commit)]);
    assert_eq!(Scene::running().judged(good()), [verdict(Verdict::Commit)]);
}

#[test]
fn a_candidate_that_has_made_no_generation_is_written_down_when_it_is_ready() {
    assert_eq!(Scene::trying(1).notice(Notice::Ready), [unsettled()]);
}

#[test]
fn the_committed_release_runs_when_the_other_one_has_stepped_down_or_need_not() {
    let mut scene = Scene::stepping_back();
    assert_eq!((scene.notice(Notice::Alive), scene.exit(0)), (vec![], vec![COMMITTED]));
    assert_eq!(scene.notice(Notice::Ready), recorded(Record::Settled));
    assert_eq!((scene.exit(1), scene.tick()), (vec![], vec![COMMITTED]));

    let mut scene = Scene::stepping_back();
    assert_eq!(scene.step(Event::NothingToStepDown), [COMMITTED]);
}

#[test]
fn the_committed_release_runs_all_the_same_if_the_other_one_does_not_step_down() {
    let mut scene = Scene::stepping_back();
    scene.notice(Notice::Status("origins: no room".into()));
    let reason = not_settled("did not step down (exit status: 1); it last said: origins: no room");
    assert_eq!(scene.exit(1), [reason, COMMITTED]);
    assert_eq!(scene.machine.restarts().of(Cause::Crash), 0);
    // It finds maps that it does not know; both are tried again.
    assert_eq!((scene.exit(1), scene.tick()), (vec![], vec![STEP_DOWN]));

    let mut scene = Scene::stepping_back();
    let failed = scene.step(Event::SpawnFailed("no such file".into()));
    assert_eq!(failed, [not_settled("was to step down: no such file"), COMMITTED]);

    let mut scene = Scene::stepping_back();
    let reason = not_settled("did not step down within 63000 ms");
    assert_eq!(scene.tick_at_deadline().1, [reason, SIGKILL]);
    assert_eq!(scene.step(Event::Exited(ExitStatus::from_raw(9))), [COMMITTED]);
}

#[test]
fn a_supervisor_that_starts_over_maps_of_another_release_has_that_step_down_first() {
    let now = Instant::now();
    let fresh = Machine::new(Settings::default(), now);
    Scene { machine: fresh.clone().unsettled(), now }.settled();
    Scene { machine: fresh.clone().with_trial(2, true).unsettled(), now }.settled();
    let mut scene = Scene { machine: fresh.with_trial(2, false).unsettled(), now };
    assert_eq!(scene.tick(), recorded(Record::Try));
}

#[test]
fn nothing_else_begins_meanwhile_and_an_end_ends_it() {
    let mut scene = Scene::stepping_back();
    assert!(refused(&scene.ask(OTHER)));
    let upgrade = Request::Upgrade { release: "b".into(), tries: 1 };
    assert!(refused(&scene.step(Event::Request(NEW, upgrade))));
    assert_eq!(scene.step(Event::Terminate), [Action::Signal(Signal::SIGTERM)]);
    assert_eq!(scene.exit(1), [Action::ReleaseSeat, Action::End(STOPPED)]);

    let mut scene = Scene::stepping_back();
    scene.tick_at_deadline();
    assert_eq!(scene.step(Event::Terminate), []);
    assert_eq!(scene.exit(1), [Action::ReleaseSeat, Action::End(STOPPED)]);
}
