//! Releases that come because somebody starts their supervisor: a new image, a new package.

use evermesh_handover::message::Phase;
use evermesh_upgrader::release::{LAUNCHED_BY, Outcome, SUPERVISOR};

use crate::{
    releases::{TIMES, digest, releases},
    rig::{GOOD, Rig},
    scripted_agent::ARGS,
};

#[test]
fn a_first_start_stages_and_commits_its_own_release() {
    let rig = Rig::new("");
    let a = rig.release("a", GOOD);
    let supervisor = rig.launch(&a, &[]);
    rig.until_runs(&supervisor, &digest(&a));
    let staged = rig.store().staged();
    assert_eq!((staged.len(), staged[0].digest, staged[0].version()), (1, digest(&a), "evermesh-agent a"));
    assert_eq!((rig.ledger().committed, rig.ledger().launcher), (digest(&a), digest(&a)));
    assert!(
        supervisor.log().contains(&format!("{}/evermesh-agent", digest(&a).short())),
        "{}",
        supervisor.log()
    );
}

#[test]
fn a_new_release_is_tried_and_committed() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", GOOD));
    let mut old = rig.launch(&a, &[]);
    rig.until_running(&old);
    old.kill();
    // The image of the old one is gone.
    std::fs::remove_dir_all(&a).unwrap();
    let new = rig.launch(&b, &[]);
    assert!(rig.until_trial_ended(1).0.committed);
    rig.until_runs(&new, &digest(&b));
    let previous = rig.ledger().previous.unwrap();
    assert_eq!(rig.client().upgrade(&previous.to_string(), 1).unwrap(), 2);
    assert!(rig.until_trial_ended(2).0.committed);
    assert_eq!((rig.played(), rig.overlaps()), (vec!["a".into(), "b".into(), "a".into()], 0));
}

#[test]
fn a_new_release_that_is_no_good_is_tried_three_times_then_held_and_not_tried_again() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "exit 1"));
    let mut old = rig.launch(&a, &[]);
    rig.until_running(&old);
    old.kill();
    let mut new = rig.launch(&b, &[]);
    let (end, _) = rig.until_trial_ended(1);
    assert!(!end.committed);
    rig.until_runs(&new, &digest(&a));
    assert_eq!(rig.played(), ["a", "b", "a", "b", "a", "b", "a"]);
    new.kill();
    let again = rig.launch(&b, &[]);
    rig.until_runs(&again, &digest(&a));
    assert_eq!((rig.played().last().map(String::as_str), rig.overlaps()), (Some("a"), 0));
    let outcomes: Vec<_> = rig.ledger().history.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Failed, Outcome::Held]);
}

#[test]
fn the_committed_releases_supervisor_in_place_of_the_launched_one_changes_nothing() {
    let rig = Rig::new("");
    let (mut supervisor, a, to) = rig.upgraded();
    supervisor.kill();
    let before = rig.ledger();
    let mut command = rig.command_of(&rig.store().place(&to).join(SUPERVISOR), &TIMES);
    command.arg("--").args(ARGS).env(LAUNCHED_BY, digest(&a).to_string());
    let supervisor = rig.spawn(command);
    rig.until_runs(&supervisor, &to);
    assert_eq!(rig.ledger(), before);
}

#[test]
fn a_takeover_commits_its_release_and_one_that_fails_leaves_the_ledger_alone() {
    let rig = Rig::new("");
    let (a, b, bad) = (rig.release("a", GOOD), rig.release("b", GOOD), rig.release("bad", "hang"));
    let mut old = rig.launch(&a, &[]);
    rig.until_running(&old);
    let before = rig.ledger();
    let mut failing = rig.launch(&bad, &["--takeover", "--takeover-timeout-ms", "300"]);
    assert_eq!(failing.ended(), Some(70));
    rig.until_runs(&old, &digest(&a));
    assert_eq!(rig.ledger(), before);

    let new = rig.launch(&b, &["--takeover", "--takeover-gate-ms", "50"]);
    assert_eq!(old.ended(), Some(0));
    rig.until_state("the new one", |state| state.pid == new.pid() && state.phase == Phase::Running);
    rig.until_runs(&new, &digest(&b));
    let ledger = rig.ledger();
    assert_eq!(
        (ledger.committed, ledger.previous, ledger.launcher),
        (digest(&b), Some(digest(&a)), digest(&b))
    );
    assert_eq!(releases(&rig.client().state().unwrap()).committed, digest(&b).to_string());
    assert_eq!(rig.overlaps(), 0);
}
