//! Both sides of a takeover.

use evermesh_handover::Heard;

use super::*;

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
        scene.settled();
    }
}

#[test]
fn nothing_is_taken_back_when_evermesh_is_uninstalled() {
    let mut scene = Scene::yielded();
    scene.step(Event::Request(NEW, Request::Rollback));
    assert_eq!(scene.tick(), [Action::TakeSeat]);
    let ended = [Action::ReleaseSeat, Action::End(Exit::Stopped(Intent::Uninstall))];
    assert_eq!(scene.step(Event::SeatUnwanted), ended);
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
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
    assert_eq!(scene.machine.restarts().of(Cause::Exit), 0);
}

#[test]
fn only_one_new_supervisor_at_a_time_and_none_at_the_end() {
    let mut scene = Scene::running();
    scene.ask(NEW);
    assert!(refused(&scene.ask(OTHER)));
    scene.exit(0);
    assert!(refused(&scene.ask(OTHER)));
    scene.step(Event::NothingToStepDown);
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
    assert_eq!(scene.ask(NEW), [steps_down()]);
    assert_eq!(scene.step(Event::NothingToStepDown), yielded());
}

#[test]
fn what_a_new_supervisor_may_lose_is_known_to_whoever_steps_down_for_it_and_written_down() {
    let mut scene = Scene::running();
    let accept_loss = vec!["origins".to_owned()];
    let follower = Follower::Newcomer { release: Some("c".into()), accept_loss: accept_loss.clone() };
    let digest = Some("c".into());
    let ask =
        Request::AskWithLoss { release: "9".into(), pid: 9, commit_within_ms: None, digest, accept_loss };
    scene.step(Event::Request(NEW, ask));
    assert_eq!(scene.exit(0), [Action::StepDown(follower.clone())]);
    assert_eq!(scene.exit(0)[0], Action::Record(Record::Unsettled(follower)));
}

#[test]
fn the_seat_is_yielded_when_the_committed_release_has_stepped_down() {
    let mut scene = Scene::making_way();
    assert_eq!((scene.notice(Notice::Ready), scene.notice(Notice::Alive)), (vec![], vec![]));
    assert_eq!(scene.exit(0), yielded());
}

#[test]
fn a_new_supervisor_is_refused_if_nothing_steps_down_for_it_and_the_agent_is_started_at_once() {
    let refusal = |reason: &str| Action::Answer(NEW, Answer::refused(reason));
    let mut scene = Scene::making_way();
    scene.notice(Notice::Status("origins: a field is missing".into()));
    let reason =
        "the committed release did not step down (exit status: 1); it last said: origins: a field is missing";
    assert_eq!(scene.exit(1), [refusal(reason)]);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
    assert_eq!(scene.machine.restarts().of(Cause::Crash), 0);

    let mut scene = Scene::making_way();
    let failed = scene.step(Event::SpawnFailed("no such file".into()));
    assert_eq!(failed, [refusal("the committed release was to step down: no such file")]);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);

    let mut scene = Scene::making_way();
    let reason = "the committed release did not step down within 63000 ms";
    assert_eq!(scene.tick_at_deadline().1, [refusal(reason), Action::Signal(Signal::SIGKILL)]);
    assert_eq!(scene.step(Event::Exited(ExitStatus::from_raw(9))), []);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
}

#[test]
fn a_new_supervisor_that_leaves_while_the_committed_release_steps_down_has_that_undone() {
    let mut scene = Scene::making_way();
    assert_eq!(scene.step(Event::Left(OTHER)), []);
    assert_eq!(scene.step(Event::Left(NEW)), [Action::Signal(Signal::SIGTERM)]);
    assert_eq!(scene.exit(1), []);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
}

#[test]
fn a_new_supervisor_commits_at_the_first_sign_of_life_after_the_gate() {
    let mut scene = Scene::after_takeover().started();
    assert_eq!(scene.notice(Notice::Alive), []);
    assert_eq!(scene.tick_at_deadline(), (Settings::default().takeover_gate, vec![]));
    assert_eq!(scene.notice(Notice::Alive), [Action::Commit]);
    assert_eq!(scene.step(Event::TakenOver), []);
    scene.exit(1);
    assert_eq!(scene.step(Event::Terminate), [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn a_new_supervisor_whose_agent_hangs_when_it_was_ready_does_not_commit() {
    let mut scene = Scene::after_takeover().started();
    scene.tick_at_deadline();
    let left = Settings::default().watchdog - Settings::default().takeover_gate;
    assert_eq!(scene.tick_at_deadline(), (left, vec![Action::Signal(Signal::SIGKILL)]));
    assert_eq!(scene.step(Event::Exited(ExitStatus::from_raw(9))), []);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
}

#[test]
fn a_new_supervisor_that_overslept_does_not_commit_by_what_it_hears_from_before() {
    let mut scene = Scene::after_takeover().started();
    scene.now += Duration::from_secs(3600);
    assert_eq!((scene.notice(Notice::Alive), scene.tick()), (vec![], vec![]));
    assert_eq!(scene.notice(Notice::Alive), [Action::Commit]);
}

#[test]
fn a_new_supervisor_whose_release_is_no_good_gives_back_although_its_agent_is_ready() {
    let mut scene = Scene::after_takeover().started().past_its_gate();
    scene.notice(Notice::Alive);
    assert_eq!(scene.step(Event::NotTakenOver), [Action::Signal(Signal::SIGTERM)]);
    assert_eq!(scene.exit(0), [Action::ReleaseSeat, Action::Rollback, Action::End(Exit::RolledBack)]);

    let mut scene = Scene::after_takeover().started();
    scene.step(Event::Heard(Heard::Gone));
    let mut scene = scene.past_its_gate();
    assert_eq!(scene.notice(Notice::Alive), [Action::Commit]);
    assert_eq!(scene.step(Event::NotTakenOver), []);
    scene.exit(1);
    assert_eq!(scene.step(Event::Terminate), [Action::ReleaseSeat, Action::End(STOPPED)]);
}

#[test]
fn a_new_supervisor_whose_agent_does_not_become_ready_gives_back() {
    let mut scene = Scene::after_takeover();
    let until = scene.now + Settings::default().take_over_within();
    while scene.now < until {
        let (_, actions) = scene.tick_at_deadline();
        if actions == [Action::Signal(Signal::SIGKILL)] {
            scene.step(Event::Exited(ExitStatus::from_raw(9)));
        }
    }
    assert_eq!(scene.exit(0), [Action::ReleaseSeat, Action::Rollback, Action::End(Exit::RolledBack)]);
}

#[test]
fn a_new_supervisor_whose_generation_takes_as_long_as_its_gate_is_waited_for() {
    let now = Instant::now();
    let mut settings = Settings::default();
    settings.gate.time = settings.takeover_timeout;
    let mut scene = Scene { machine: Machine::after_takeover(settings, now), now };
    scene.tick();
    scene.now += settings.gate.time;
    assert_eq!((scene.tick(), scene.notice(Notice::Ready)), (vec![], vec![]));
    assert_eq!(scene.word(), Word::Running);
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
    scene.now += Settings::default().take_over_within();
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
}
