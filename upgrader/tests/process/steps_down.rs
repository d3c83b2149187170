//! A committed release that steps down before an earlier one is tried.

use std::fs;

use nix::sys::signal::Signal;

use crate::{
    releases::digest,
    rig::{GOOD, Rig, Supervisor, signal_agent, until},
};

/// Its script for an end that goes well.
const DONE: &str = "exit 0";

/// The later release runs, whose maps the earlier one does not know.
fn later(rig: &Rig, steps_down: &str, options: &[&str]) -> Supervisor {
    let later = rig.release_with_layouts("later", [2, 1], steps_down);
    let supervisor = rig.launch(&later, options);
    rig.until_running(&supervisor);
    supervisor
}

#[test]
fn the_committed_release_steps_down_before_an_earlier_one_is_tried() {
    let rig = Rig::new("");
    let _supervisor = later(&rig, DONE, &[]);
    let earlier = rig.release_with_layouts("earlier", [1, 1], DONE);
    let (_, trial) = rig.upgrade(&earlier, 1);
    assert!(rig.until_trial_ended(trial).0.committed);
    assert_eq!(
        (rig.played(), rig.overlaps()),
        (vec!["later".into(), "later-down".into(), "earlier".into()], 0)
    );
    let told: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(rig.path("told")).unwrap()).unwrap();
    assert_eq!(told["current"]["origins"], 1, "it is told what the candidate knows");

    // Upwards nothing steps down: the later release carries over by itself.
    let later = rig.client().upgrade(&digest(&rig.path("release-later")).to_string(), 1).unwrap();
    assert!(rig.until_trial_ended(later).0.committed);
    assert_eq!(rig.played().last().map(String::as_str), Some("later"));
    assert_eq!(rig.played().len(), 4);
}

#[test]
fn a_step_down_that_is_no_good_holds_the_candidate_which_is_never_started() {
    let ways = [
        (
            "say STATUS=origins: a field is missing\nexit 1",
            "(exit status: 1); it last said: origins: a field is missing",
        ),
        ("hang", "did not step down within 3200 ms"),
    ];
    for (steps_down, expected) in ways {
        let rig = Rig::new("");
        let supervisor = later(&rig, steps_down, &["--start-timeout-ms", "3000", "--gate-ms", "200"]);
        let (_, trial) = rig.upgrade(&rig.release_with_layouts("earlier", [1, 1], DONE), 1);
        let (end, _) = rig.until_trial_ended(trial);
        let reason = end.reason.unwrap();
        assert!(!end.committed && reason.contains(expected), "{reason}");
        rig.until_running(&supervisor);
        until("the later release's agent again", || (rig.starts() == 3).then_some(()));
        assert_eq!(rig.played(), ["later", "later-down", "later"]);
    }
}

#[test]
fn whoever_is_killed_meanwhile_the_committed_release_runs_again() {
    for kills_supervisor in [false, true] {
        let rig = Rig::new("");
        let mut supervisor = later(&rig, "hang", &[]);
        let (_, trial) = rig.upgrade(&rig.release_with_layouts("earlier", [1, 1], DONE), 1);
        rig.until_played("later-down", 1);
        if kills_supervisor {
            supervisor.kill();
            let supervisor = rig.launch(&rig.path("release-later"), &[]);
            rig.until_running(&supervisor);
            assert!(!rig.until_trial_ended(trial).0.committed);
            assert_eq!((rig.played().last().map(String::as_str), rig.overlaps()), (Some("later"), 0));
        } else {
            let state = rig.until_state("stepping down", |state| state.phase.as_str() == "stepping-down");
            signal_agent(&state, Signal::SIGKILL).unwrap();
            assert!(!rig.until_trial_ended(trial).0.committed);
            rig.until_running(&supervisor);
        }
        assert!(!rig.played().contains(&"earlier".to_owned()));
    }
}

#[test]
fn releases_of_the_same_layouts_and_those_that_say_none_are_tried_as_ever() {
    let rig = Rig::new("");
    let _supervisor = later(&rig, DONE, &[]);
    for other in [rig.release_with_layouts("same", [2, 1], DONE), rig.release("silent", GOOD)] {
        let (_, trial) = rig.upgrade(&other, 1);
        assert!(rig.until_trial_ended(trial).0.committed);
    }
    assert_eq!(rig.played(), ["later", "same", "silent"]);
}
