mod recall;
mod room;

use evermesh_loader::How;
use evermesh_model::Snapshot;

use super::*;

const NOW: u64 = 1_000;

fn record(digest: u8) -> Arc<LastApplied> {
    Arc::new(LastApplied {
        source: "/etc/mesh.yaml".into(),
        digest: [digest; 32],
        applied_unix_ms: NOW,
        warnings: vec![],
        snapshot: Snapshot::default(),
    })
}

fn counts(writes: u64) -> Applied {
    Applied { writes, services: 1, endpoints: 2 }
}

fn loaded(digest: u8) -> Event {
    let snapshot = Snapshot::default();
    let loaded = Loaded { snapshot, digest: [digest; 32], warnings: vec![], files: vec![] };
    Event::Read(Ok(Found::New(Box::new(loaded))))
}

fn beginning() -> Beginning {
    Beginning {
        feed: Feed::Files,
        source: "/etc/mesh.yaml".into(),
        node: "node-1".into(),
        candidate: false,
        now_unix_ms: NOW,
        started: Started { generation: 1, how: How::Adopted, applied: counts(0), notes: vec![] },
        applied: Some(record(1)),
        saved: true,
        recalling: None,
        fits: None,
        refused: None,
        notes: vec![],
    }
}

/// Configuration 1 is applied and on disk; nothing is under way.
fn settled() -> Core {
    let mut core = Core::new(beginning()).0;
    core.on(destroyed(0), NOW);
    core
}

fn destroyed(count: usize) -> Event {
    Event::OrphansDestroyed(Destroyed { sockets: count, left: None })
}

fn left(sockets: usize, why: Left) -> Event {
    Event::OrphansDestroyed(Destroyed { sockets, left: Some(why) })
}

/// What is to be done, without what is only logged.
fn deeds(actions: Vec<Action>) -> Vec<Action> {
    actions.into_iter().filter(|action| !matches!(action, Action::Info(_) | Action::Warn(_))).collect()
}

fn warnings(actions: &[Action]) -> Vec<&str> {
    let warning = |action: &'_ Action| matches!(action, Action::Warn(_));
    let text = |action| match action {
        &Action::Info(ref text) | &Action::Warn(ref text) => text.as_str(),
        _ => "",
    };
    actions.iter().filter(|action| warning(action)).map(text).collect()
}

fn read_unless(digest: u8) -> Action {
    Action::Read { unless: Some([digest; 32]) }
}

fn refused(reason: &str, at_unix_ms: u64) -> Outcome {
    Outcome::Refused(Refused { reason: reason.into(), at_unix_ms })
}

#[test]
fn a_start_that_found_everything_in_place_only_cleans_up() {
    let (core, actions) = Core::new(beginning());
    assert_eq!(
        deeds(actions),
        [
            Action::Note(record(1)),
            Action::Do(Chore::Reclaim),
            Action::Do(Chore::Tally),
            Action::Do(Chore::Orphans),
            Action::Ready
        ]
    );
    assert_eq!(core.status().refused, None);
}

#[test]
fn a_start_with_something_new_keeps_it_on_disk() {
    let (_, actions) = Core::new(Beginning { saved: false, ..beginning() });
    let expected = [
        Action::Save(record(1)),
        Action::Do(Chore::Reclaim),
        Action::Do(Chore::Tally),
        Action::Do(Chore::Orphans),
        Action::Ready,
    ];
    assert_eq!(deeds(actions), expected);
}

#[test]
fn a_start_past_a_wrong_file_says_so() {
    let (core, actions) = Core::new(Beginning { refused: Some("wrong".into()), ..beginning() });
    assert_eq!(warnings(&actions), ["the newest configuration is refused, the one before it stays:\nwrong"]);
    assert_eq!(core.status().refused.unwrap().reason, "wrong");
}

#[test]
fn a_change_is_read_applied_saved_and_cleaned_up_after() {
    let mut core = settled();
    assert_eq!(core.on(Event::Changed, NOW), [read_unless(1)]);
    assert_eq!(core.on(loaded(2), NOW), [Action::Apply(record(2))]);
    let done = deeds(core.on(Event::Applied(Ok(counts(7))), NOW));
    assert_eq!(done, [Action::Save(record(2)), Action::Do(Chore::Reclaim), Action::Do(Chore::Orphans)]);
    let status = core.status();
    assert_eq!(status.configuration.unwrap().digest, [2; 32]);
    assert_eq!(status.data_plane.unwrap().writes, 7);
}

#[test]
fn nothing_is_saved_before_it_is_applied() {
    let mut core = settled();
    core.on(Event::Changed, NOW);
    core.on(loaded(2), NOW);
    assert_eq!(core.status().configuration.unwrap().digest, [1; 32]);
    let done = deeds(core.on(Event::Applied(Err(NotApplied::Failed("no room".into()))), NOW));
    assert_eq!(done, []);
    assert_eq!(core.status().configuration.unwrap().digest, [1; 32]);
    assert_eq!(core.status().refused.unwrap().reason, "no room");
}

#[test]
fn a_source_that_is_the_same_again_costs_nothing_and_ends_a_refusal() {
    let mut core = settled();
    core.on(Event::Changed, NOW);
    core.on(Event::Read(Err("wrong".into())), NOW);
    assert!(core.status().refused.is_some());
    core.on(Event::Changed, NOW);
    assert_eq!(deeds(core.on(Event::Read(Ok(Found::Same)), NOW)), []);
    assert_eq!(core.status().refused, None);
}

#[test]
fn the_same_refusal_is_told_once_and_keeps_its_time() {
    let mut core = settled();
    let mut refuse = |reason: &str, now| {
        core.on(Event::Changed, now);
        warnings(&core.on(Event::Read(Err(reason.into())), now)).len()
    };
    assert_eq!((refuse("wrong", 2_000), refuse("wrong", 3_000)), (1, 0));
    assert_eq!(refuse("wrong in another way", 4_000), 1);
    assert_eq!(core.status().refused.unwrap().at_unix_ms, 4_000);
}

#[test]
fn what_changes_meanwhile_is_read_afterwards_and_only_once() {
    let mut core = settled();
    core.on(Event::Changed, NOW);
    assert_eq!(core.on(Event::Changed, NOW), []);
    core.on(loaded(2), NOW);
    assert_eq!(core.on(Event::Changed, NOW), []);
    let done = deeds(core.on(Event::Applied(Ok(counts(0))), NOW));
    assert_eq!(done, [Action::Save(record(2)), Action::Do(Chore::Reclaim), read_unless(2)]);
    assert_eq!(deeds(core.on(Event::Read(Ok(Found::Same)), NOW)), []);
}

#[test]
fn whoever_asks_for_a_reload_is_told_about_a_reading_that_began_later() {
    let mut core = settled();
    assert_eq!(core.on(Event::Reload(1), NOW), [read_unless(1)]);
    assert_eq!(core.on(Event::Reload(2), NOW), []);
    let done = deeds(core.on(Event::Read(Err("wrong".into())), NOW));
    assert_eq!(done, [Action::Answer(1, refused("wrong", NOW)), read_unless(1)]);
    core.on(loaded(2), NOW);
    let done = deeds(core.on(Event::Applied(Ok(counts(1))), NOW));
    assert!(done.contains(&Action::Answer(2, Outcome::Applied([2; 32]))));
}

#[test]
fn a_reload_of_what_is_applied_is_answered() {
    let mut core = settled();
    core.on(Event::Reload(1), NOW);
    let done = deeds(core.on(Event::Read(Ok(Found::Same)), NOW));
    assert_eq!(done, [Action::Answer(1, Outcome::Unchanged([1; 32]))]);
}

#[test]
fn records_reach_the_disk_one_after_the_other_and_the_newest_last() {
    let mut core = settled();
    let mut apply = |digest| {
        core.on(Event::Changed, NOW);
        core.on(loaded(digest), NOW);
        deeds(core.on(Event::Applied(Ok(counts(1))), NOW))
    };
    assert!(apply(2).contains(&Action::Save(record(2))));
    let saves = |actions: Vec<Action>| actions.iter().any(|action| matches!(action, Action::Save(_)));
    assert!(!saves(apply(3)) && !saves(apply(4)));
    assert_eq!(core.on(Event::Saved(Ok(())), NOW), [Action::Save(record(4))]);
    assert_eq!(core.on(Event::Saved(Ok(())), NOW), [Action::Note(record(4))]);
}

#[test]
fn what_did_not_reach_the_disk_is_told_and_tried_again() {
    let (mut core, _) = Core::new(Beginning { saved: false, ..beginning() });
    assert_eq!(warnings(&core.on(Event::Saved(Err("disk full".into())), NOW)).len(), 1);
    assert_eq!(core.status().unsaved.as_deref(), Some("disk full"));
    assert_eq!(core.on(Event::Audit, NOW), [Action::Do(Chore::Audit), Action::Save(record(1))]);
    assert_eq!(core.on(Event::Saved(Err("disk full".into())), NOW), []);
    core.on(Event::Audit, NOW);
    core.on(Event::Saved(Ok(())), NOW);
    assert_eq!(core.status().unsaved, None);
    assert_eq!(core.on(Event::Audit, NOW), [Action::Do(Chore::Audit)]);
}

#[test]
fn an_audit_tries_a_refused_configuration_again() {
    let (mut core, _) = Core::new(Beginning { refused: Some("no room".into()), ..beginning() });
    assert_eq!(core.on(Event::Audit, NOW), [Action::Do(Chore::Audit), read_unless(1)]);
}

#[test]
fn drift_is_counted_and_cleaned_up_after() {
    let mut core = settled();
    assert_eq!(core.on(Event::Done(Chore::Audit, Ok(0)), 2_000), [Action::Do(Chore::Reclaim)]);
    let actions = core.on(Event::Done(Chore::Audit, Ok(3)), 3_000);
    assert_eq!(deeds(actions), [Action::Do(Chore::Reclaim), Action::Do(Chore::Orphans)]);
    let plane = core.status().data_plane.unwrap();
    assert_eq!((plane.drifts, plane.drifted_unix_ms, plane.writes), (1, Some(3_000), 3));
}

#[test]
fn counts_that_are_not_on_disk_are_written_when_all_else_is_looked_at() {
    let mut core = settled();
    let mut again = |result| {
        core.on(Event::Done(Chore::Tally, result), NOW);
        core.on(Event::Audit, NOW).contains(&Action::Do(Chore::Tally))
    };
    assert!(again(Err("disk full".into())));
    assert!(!again(Ok(0)));
}

#[test]
fn trouble_with_a_chore_is_told_once_and_ends_when_it_is_done() {
    let mut core = settled();
    let mut fail = || core.on(Event::Done(Chore::Heartbeat, Err("gone".into())), NOW).len();
    assert_eq!((fail(), fail()), (1, 0));
    assert_eq!(core.status().data_plane.unwrap().error.unwrap(), "the heartbeat cannot be written: gone");
    core.on(Event::Done(Chore::Audit, Ok(0)), NOW);
    assert!(core.status().data_plane.unwrap().error.is_some());
    core.on(Event::Done(Chore::Heartbeat, Ok(0)), NOW);
    assert_eq!(core.status().data_plane.unwrap().error, None);
}

#[test]
fn nothing_known_is_shown_as_such_until_something_is_applied() {
    let nothing = Beginning { applied: None, refused: Some("wrong".into()), ..beginning() };
    let (mut core, _) = Core::new(nothing);
    assert_eq!(core.status().configuration, None);
    assert_eq!(core.on(Event::Changed, NOW), [Action::Read { unless: None }]);
    core.on(loaded(1), NOW);
    core.on(Event::Applied(Ok(counts(1))), NOW);
    assert!(core.status().configuration.is_some() && core.status().refused.is_none());
}

/// Applies another configuration, and tells whether sockets are to be looked for.
fn looks_after(core: &mut Core, writes: u64) -> bool {
    core.on(Event::Changed, NOW);
    core.on(loaded(2), NOW);
    core.on(Event::Applied(Ok(counts(writes))), NOW).contains(&Action::Do(Chore::Orphans))
}

#[test]
fn sockets_are_looked_for_after_a_change_of_the_tables() {
    assert!(looks_after(&mut settled(), 1));
    assert!(!looks_after(&mut settled(), 0));
}

#[test]
fn a_burst_of_changes_takes_two_looks() {
    let mut core = settled();
    assert!(looks_after(&mut core, 1));
    assert!(!looks_after(&mut core, 1) && !looks_after(&mut core, 1));
    assert_eq!(deeds(core.on(destroyed(3), NOW)), [Action::Do(Chore::Orphans)]);
    assert_eq!(core.on(destroyed(0), NOW), []);
    assert!(looks_after(&mut core, 1));
}

#[test]
fn destroyed_sockets_are_told_and_count_as_no_drift() {
    let mut core = settled();
    looks_after(&mut core, 1);
    let told = core.on(destroyed(3), NOW);
    assert_eq!(told, [Action::Info("destroyed 3 connected UDP sockets whose endpoint is gone".into())]);
    let status = core.status().data_plane.unwrap();
    assert_eq!((status.destroyed, status.drifts), (3, 0));
}

#[test]
fn sockets_that_could_not_be_destroyed_are_told_once_and_looked_for_with_the_next_audit() {
    let mut core = settled();
    looks_after(&mut core, 1);
    let fail = || left(1, Left::Failed("busy".into()));
    assert_eq!(warnings(&core.on(fail(), NOW)).len(), 1);
    let error = core.status().data_plane.unwrap().error.unwrap();
    assert_eq!(error, "sockets whose endpoint is gone are not destroyed: busy");
    let again = [Action::Do(Chore::Audit), Action::Do(Chore::Orphans)];
    assert_eq!(core.on(Event::Audit, NOW), again);
    assert_eq!(warnings(&core.on(fail(), NOW)), [""; 0]);
    assert_eq!(core.on(Event::Audit, NOW), again);
    core.on(destroyed(1), NOW);
    assert_eq!(core.status().data_plane.unwrap().destroyed, 3, "those beside a failure count too");
    assert_eq!(core.status().data_plane.unwrap().error, None);
    assert_eq!(core.on(Event::Audit, NOW), [Action::Do(Chore::Audit)]);
}

#[test]
fn a_kernel_that_cannot_destroy_sockets_is_noted_once_and_not_asked_again() {
    let mut core = settled();
    looks_after(&mut core, 1);
    let cannot = left(0, Left::Unsupported("into the void".into()));
    assert_eq!(core.on(cannot, NOW), [Action::Warn("into the void".into())]);
    let plane = core.status().data_plane.unwrap();
    assert_eq!((plane.notes, plane.error), (vec!["into the void".into()], None));
    assert!(!looks_after(&mut core, 1));
    assert_eq!(core.on(Event::Audit, NOW), [Action::Do(Chore::Audit)]);
}

fn on_trial(candidate: bool) -> Core {
    let how = How::Changed { from: 1, reason: "other programs".into() };
    let started = Started { generation: 2, how, applied: counts(0), notes: vec![] };
    let (core, first) = Core::new(Beginning { started, candidate, ..beginning() });
    assert_eq!(deeds(first).last(), Some(&Action::Judge), "nobody is told that it is ready");
    core
}

#[test]
fn a_generation_on_trial_is_judged_until_it_stays() {
    let mut core = on_trial(false);
    assert!(core.summary().contains("on trial"));
    assert_eq!(core.on(Event::Judged(Verdict::Wait), NOW), [Action::Judge]);
    assert_eq!(core.on(Event::Judged(Verdict::Commit), NOW), [Action::Commit]);
    let lost = "origins: 3 entries are lost, as it was declared".to_owned();
    let committed = core.on(Event::Committed(Ok(vec![lost.clone()])), NOW);
    assert_eq!(deeds(committed), [Action::Ready, Action::Do(Chore::Tally)]);
    assert!(!core.summary().contains("on trial"));
    assert_eq!(core.status().data_plane.unwrap().notes, [lost]);
}

#[test]
fn an_agent_goes_on_with_the_generation_before_and_one_on_trial_itself_ends() {
    let reason = || "it is no good".to_owned();
    for (candidate, told) in
        [(false, Action::Ready), (true, Action::End("generation 2 was rolled back: it is no good".into()))]
    {
        let mut core = on_trial(candidate);
        let judged = core.on(Event::Judged(Verdict::RollBack { reason: reason() }), NOW);
        assert_eq!(deeds(judged), [Action::RollBack(reason())]);
        let unsaid = vec!["the disk is full".to_owned()];
        assert_eq!(deeds(core.on(Event::RolledBack(reason(), Ok(unsaid)), NOW))[0], told);
        let data_plane = core.status().data_plane.unwrap();
        if !candidate {
            assert_eq!((data_plane.generation, data_plane.how.as_str()), (1, "adopted"));
            assert_eq!(data_plane.notes, ["generation 2 was rolled back: it is no good", "the disk is full"]);
        }
    }
}

#[test]
fn steps_that_fail_are_left_to_the_next_start() {
    let failed = || Err("the disk is full".to_owned());
    let ends = |actions: Vec<Action>| matches!(&deeds(actions)[..], [Action::End(why)] if why.contains("the disk is full"));
    assert!(ends(on_trial(false).on(Event::Committed(Err("the disk is full".to_owned())), NOW)));
    assert!(ends(on_trial(false).on(Event::RolledBack("x".into(), failed()), NOW)));
}
