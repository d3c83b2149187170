use super::*;

fn release(name: &str) -> Digest {
    Digest::of(name)
}

fn ledger() -> Ledger {
    Ledger::new(release("a"), release("a"), None)
}

fn tries_left(ledger: &Ledger) -> Option<u32> {
    ledger.candidate.as_ref().map(|candidate| candidate.tries_left)
}

#[test]
fn the_same_launcher_changes_nothing_and_another_one_is_tried_three_times() {
    let mut ledger = ledger();
    ledger.start(release("a"), release("a"), 1);
    assert_eq!(ledger, self::ledger());
    ledger.start(release("b"), release("b"), 2);
    assert_eq!((ledger.committed, tries_left(&ledger)), (release("a"), Some(3)));
    let waiting = ledger.clone();
    ledger.start(release("b"), release("b"), 3);
    assert_eq!(ledger, waiting);
}

#[test]
fn a_launcher_that_was_held_is_not_tried_again_until_another_one_came() {
    let mut ledger = ledger();
    ledger.start(release("b"), release("b"), 1);
    for _ in 0..3 {
        ledger.try_begins(Default::default());
        ledger.fail("it fell", 2);
    }
    assert_eq!(ledger.last().map(|entry| entry.outcome), Some(Outcome::Held));
    ledger.start(release("b"), release("b"), 3);
    // The command of the launched release starts the committed one's supervisor.
    ledger.start(release("a"), release("b"), 3);
    assert_eq!((ledger.committed, tries_left(&ledger)), (release("a"), None));
    ledger.start(release("a"), release("a"), 4);
    ledger.start(release("b"), release("b"), 5);
    assert_eq!(tries_left(&ledger), Some(3));
}

#[test]
fn what_was_brought_by_an_upgrade_stays_committed_whatever_launcher_starts_it() {
    let mut ledger = ledger();
    ledger.begin(release("b"), 1);
    ledger.try_begins(Default::default());
    ledger.commit(1);
    ledger.start(release("a"), release("a"), 2);
    assert_eq!(
        (ledger.committed, ledger.previous, tries_left(&ledger)),
        (release("b"), Some(release("a")), None)
    );
}

#[test]
fn a_try_that_was_under_way_at_a_start_has_failed_and_one_given_back_has_not() {
    let mut ledger = ledger();
    ledger.begin(release("b"), 2);
    ledger.try_begins(Default::default());
    ledger.give_back();
    ledger.start(release("a"), release("a"), 1);
    assert_eq!(tries_left(&ledger), Some(2));
    ledger.try_begins(Default::default());
    ledger.start(release("a"), release("a"), 2);
    assert_eq!((tries_left(&ledger), ledger.history.len()), (Some(1), 1));
    ledger.try_begins(Default::default());
    ledger.start(release("a"), release("a"), 3);
    assert_eq!((tries_left(&ledger), ledger.last().map(|it| it.outcome)), (None, Some(Outcome::Held)));
}

#[test]
fn history_is_bounded() {
    let mut ledger = ledger();
    for time in 0..200 {
        ledger.begin(release("b"), 1);
        ledger.hold("no", time);
    }
    assert_eq!((ledger.history.len(), ledger.history[0].unix_ms), (HISTORY_MAX, 150));
}

#[test]
fn words_of_other_releases_are_no_obstacle() {
    assert_eq!(serde_json::from_str::<Outcome>("\"postponed\"").unwrap(), Outcome::Unknown);
}
