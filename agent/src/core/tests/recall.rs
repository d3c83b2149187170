//! The tables are right, and the mesh is read from disk when the agent is ready.

use super::*;

/// An agent that is ready and has not read yet what it laid from the source of digest 1.
fn recalling() -> Core {
    let mut core = Core::new(as_laid()).0;
    core.on(destroyed(0), NOW);
    core
}

fn as_laid() -> Beginning {
    Beginning { applied: None, recalling: Some([1; 32]), ..beginning() }
}

fn recalled(digest: u8) -> Event {
    Event::Recalled(Some(Box::new((*record(digest)).clone())), None)
}

#[test]
fn that_the_agent_is_ready_does_not_wait_for_the_mesh() {
    let (core, actions) = Core::new(as_laid());
    assert_eq!(
        deeds(actions),
        [
            Action::Do(Chore::Reclaim),
            Action::Do(Chore::Tally),
            Action::Do(Chore::Orphans),
            Action::Ready,
            Action::Recall
        ]
    );
    assert!(core.is_recalling());
    assert_eq!(core.summary(), "generation 1 (adopted): as it was laid, 2 endpoints");
}

#[test]
fn what_was_laid_is_compared_and_not_kept_again() {
    let mut core = recalling();
    assert_eq!(core.on(recalled(1), NOW), [Action::Apply(record(1))]);
    assert!(core.is_recalling());
    assert_eq!(deeds(core.on(Event::Applied(Ok(counts(0))), NOW)), []);
    assert!(!core.is_recalling());
    assert_eq!(core.status().configuration.unwrap().digest, [1; 32]);
    assert_eq!((core.status().data_plane.unwrap().drifts, core.is_saving()), (0, false));
}

#[test]
fn what_happens_meanwhile_waits() {
    let mut core = recalling();
    assert_eq!(core.on(Event::Changed, NOW), []);
    assert_eq!(core.on(Event::Reload(7), NOW), []);
    core.on(recalled(1), NOW);
    assert_eq!(deeds(core.on(Event::Applied(Ok(counts(0))), NOW)), [read_unless(1)]);
    let same = core.on(Event::Read(Ok(Found::Same)), NOW);
    assert_eq!(deeds(same), [Action::Answer(7, Outcome::Unchanged([1; 32]))]);
}

#[test]
fn another_record_or_none_is_no_answer_to_what_was_laid() {
    for found in [recalled(2), Event::Recalled(None, Some("it is damaged".into()))] {
        let mut core = recalling();
        core.on(Event::Reload(7), NOW);
        assert_eq!(core.on(found, NOW), [Action::Read { unless: None }]);
        assert_eq!(core.on(loaded(1), NOW), [Action::Apply(record(1))]);
        let applied = core.on(Event::Applied(Ok(counts(0))), NOW);
        assert!(deeds(applied).contains(&Action::Answer(7, Outcome::Applied([1; 32]))));
    }
}

#[test]
fn what_cannot_be_compared_is_told_and_read_from_the_source() {
    let mut core = recalling();
    core.on(recalled(1), NOW);
    let actions = core.on(Event::Applied(Err(NotApplied::Failed("no room".into()))), NOW);
    assert_eq!(warnings(&actions).len(), 1);
    assert_eq!(deeds(actions), [Action::Read { unless: None }]);
    assert!(!core.is_recalling());
}

#[test]
fn drift_between_the_two_is_counted() {
    let mut core = recalling();
    core.on(recalled(1), NOW);
    core.on(Event::Applied(Ok(counts(3))), NOW);
    let plane = core.status().data_plane.unwrap();
    assert_eq!((plane.drifts, plane.writes), (1, 3));
}

#[test]
fn what_is_on_disk_is_noted_and_nothing_else() {
    let mut core = settled();
    core.on(Event::Changed, NOW);
    core.on(loaded(2), NOW);
    core.on(Event::Applied(Ok(counts(1))), NOW);
    assert_eq!(core.on(Event::Saved(Ok(())), NOW), [Action::Note(record(2))]);
    core.on(Event::Changed, NOW);
    core.on(loaded(3), NOW);
    core.on(Event::Applied(Ok(counts(1))), NOW);
    assert_eq!(deeds(core.on(Event::Saved(Err("full".into())), NOW)), []);
}
