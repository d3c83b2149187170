//! Agents that live, fall, hang and are told to end.

use evermesh_handover::gate::{Evidence, Verdict};

use super::*;

#[test]
fn a_crashed_agent_is_replaced_at_once_and_counted() {
    let mut scene = Scene::running();
    assert_eq!(scene.exit(1), []);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
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
        assert_eq!(actions, [Action::Spawn(Which::Committed)]);
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
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
}

#[test]
fn a_silent_agent_is_killed_and_replaced_at_once() {
    let mut scene = Scene::running();
    let (silence, actions) = scene.tick_at_deadline();
    assert_eq!((silence, actions), (Settings::default().watchdog, vec![Action::Signal(Signal::SIGKILL)]));
    scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
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
    let Settings { start_timeout, gate, .. } = Settings::default();
    assert_eq!((time, actions), (start_timeout + gate.time, vec![Action::Signal(Signal::SIGKILL)]));
    scene.step(Event::Exited(ExitStatus::from_raw(9)));
    assert_eq!(scene.machine.restarts().of(Cause::StartTimeout), 1);
}

#[test]
fn a_generation_on_trial_is_judged_while_its_agent_is_wanted() {
    let judged = |scene: &mut Scene, age_ms| {
        let evidence = Evidence { generation: 2, age_ms, ..Evidence::default() };
        let actions = scene.step(Event::Request(NEW, Request::Judge { evidence }));
        let [Action::Answer(NEW, Answer::Judged { verdict })] = &actions[..] else { panic!("{actions:?}") };
        verdict.clone()
    };
    let mut scene = Scene::fresh();
    scene.tick();
    assert_eq!(judged(&mut scene, 0), Verdict::Wait);
    assert_eq!(judged(&mut scene, 3_000), Verdict::Commit);
    scene.step(Event::Terminate);
    let reason = "the supervisor is stopping, because the supervisor ends".to_owned();
    assert_eq!(judged(&mut scene, 3_000), Verdict::RollBack { reason });
}

#[test]
fn an_agent_that_says_it_stops_gets_the_time_for_it_then_the_next_one_starts() {
    let mut scene = Scene::running();
    assert_eq!(scene.notice(Notice::Stopping), []);
    let (time, actions) = scene.tick_at_deadline();
    assert_eq!((time, actions), (Settings::default().stop_timeout, vec![Action::Signal(Signal::SIGKILL)]));
    scene.exit(0);
    assert_eq!(scene.tick(), [Action::Spawn(Which::Committed)]);
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
    assert_eq!(later.tick(), [Action::Spawn(Which::Committed)]);
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
    assert_eq!(later.tick_at_deadline().1, [Action::Spawn(Which::Committed)]);
    assert_eq!(later.machine.last_exit(), Some("no memory"));
}

#[test]
fn sigterm_asks_the_agent_then_kills_it_and_ends() {
    let mut scene = Scene::running();
    assert_eq!(scene.step(Event::Terminate), [Action::Signal(Signal::SIGTERM)]);
    assert_eq!(scene.step(Event::Terminate), []);
    let (time, actions) = scene.tick_at_deadline();
    assert_eq!((time, actions), (Settings::default().stop_timeout, vec![Action::Signal(Signal::SIGKILL)]));
    assert_eq!(scene.machine.deadline(), None);
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
fn the_first_reason_to_end_stays() {
    let mut scene = Scene::running();
    scene.step(Event::Request(OTHER, Request::Stop { intent: Intent::Uninstall }));
    assert_eq!(scene.step(Event::Terminate), []);
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
