//! A release that steps down: the committed one before an earlier one is tried, and a later one that was tried.

use std::{fs, time::Duration};

use evermesh_handover::message::State;
use evermesh_upgrader::release::AGENT;
use nix::sys::signal::Signal;

use crate::{
    releases::{digest, releases},
    rig::{GOOD, Rig, Supervisor, signal_agent, until},
};

/// Its script for an end that goes well.
const DONE: &str = "exit 0";
/// That of an agent that falls when it was ready.
const FALLS: &str = "say READY=1\nexit 1";

/// What the release that steps down was told of the one that follows.
fn told(rig: &Rig) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(rig.path("told")).unwrap()).unwrap()
}

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
    assert_eq!(told(&rig)["current"]["origins"], 1, "it is told what the candidate knows");

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

/// It was whole when its try began, and its agent would get ready.
#[test]
fn a_candidate_that_is_damaged_while_the_committed_release_steps_down_is_never_started() {
    let rig = Rig::new("");
    let supervisor = later(&rig, "await damaged\nexit 0", &[]);
    let (to, trial) = rig.upgrade(&rig.release_with_layouts("earlier", [1, 1], DONE), 1);
    rig.until_played("later-down", 1);
    let agent = rig.store().place(&to).join(AGENT);
    fs::write(&agent, fs::read_to_string(&agent).unwrap() + "# and more\n").unwrap();
    fs::write(rig.path("damaged"), "").unwrap();
    let (end, _) = rig.until_trial_ended(trial);
    let reason = end.reason.unwrap();
    assert!(!end.committed && reason.contains("is damaged"), "{reason}");
    rig.until_running(&supervisor);
    until("the later release's agent again", || (rig.starts() == 3).then_some(()));
    assert_eq!(rig.played(), ["later", "later-down", "later"]);
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

/// The committed release does not know the maps that stand then.
#[test]
fn after_a_try_that_was_given_back_the_candidate_goes_on_over_its_own_maps_or_makes_place_for_another_one() {
    for other_comes in [false, true] {
        let rig = Rig::new("");
        let committed = rig.release_with_layouts("committed", [2, 1], DONE);
        let mut supervisor = rig.launch(&committed, &["--trial-gate-ms", "60000"]);
        rig.until_running(&supervisor);
        let candidate = rig.release_with_layouts("candidate", [3, 2], DONE);
        let (to, trial) = rig.upgrade(&candidate, 1);
        until("its being written down", || rig.ledger().outgoing.map(drop));
        supervisor.signal(Signal::SIGTERM);
        assert_eq!(supervisor.ended(), Some(0));
        fs::write(rig.path("committed-down"), "exit 1").unwrap();

        let other = rig.release_with_layouts("other", [2, 2], DONE);
        let (next, to, trial, played) = match other_comes {
            false => (committed, to, trial, vec!["candidate"]),
            true => (other.clone(), digest(&other), trial + 1, vec!["candidate-down", "other"]),
        };
        let supervisor = rig.launch(&next, &[]);
        assert!(rig.until_trial_ended(trial).0.committed);
        rig.until_runs(&supervisor, &to);
        let played = [vec!["committed", "committed-down", "candidate"], played].concat();
        assert_eq!((rig.played(), rig.overlaps()), (played.into_iter().map(str::to_owned).collect(), 0));
    }
}

const TAKES_OVER: [&str; 3] = ["--takeover", "--takeover-gate-ms", "50"];

#[test]
fn the_committed_release_steps_down_before_an_earlier_supervisor_takes_over_and_comes_back_if_that_fails() {
    let rig = Rig::new("");
    let mut old = later(&rig, DONE, &[]);
    let earlier = rig.release_with_layouts("earlier", [1, 1], DONE);
    let mut failing = rig.launch(&earlier, &["--takeover", "--takeover-gate-ms", "60000"]);
    rig.until_running(&failing);
    failing.kill();
    rig.until_runs(&old, &digest(&rig.path("release-later")));

    let new = rig.launch(&earlier, &TAKES_OVER);
    assert_eq!(old.ended(), Some(0));
    rig.until_runs(&new, &digest(&earlier));
    let played = ["later", "later-down", "earlier", "later", "later-down", "earlier"];
    assert_eq!((rig.played(), rig.overlaps()), (played.map(str::to_owned).into(), 0));
    assert_eq!(told(&rig)["current"]["origins"], 1, "it is told what the new supervisor's agent knows");
}

#[test]
fn a_takeover_is_refused_if_the_committed_release_does_not_step_down() {
    let ways = [
        ("say STATUS=origins: no room\nexit 1", "(exit status: 1); it last said: origins: no room"),
        ("hang", "did not step down within 3200 ms"),
    ];
    for (steps_down, expected) in ways {
        let rig = Rig::new("");
        let old = later(&rig, steps_down, &["--start-timeout-ms", "3000", "--gate-ms", "200"]);
        let before = rig.ledger();
        let mut new = rig.launch(&rig.release_with_layouts("earlier", [1, 1], DONE), &TAKES_OVER);
        assert_eq!(new.ended(), Some(75));
        assert!(new.words().contains(expected), "{}", new.words());
        rig.until_running(&old);
        until("the later release's agent again", || (rig.starts() == 3).then_some(()));
        assert_eq!(
            (rig.played(), rig.ledger()),
            (["later", "later-down", "later"].map(str::to_owned).into(), before)
        );
    }
}

#[test]
fn whoever_is_killed_before_a_takeover_the_committed_release_runs_again() {
    for victim in ["the one that steps down", "the new supervisor", "the old one"] {
        let rig = Rig::new("");
        let mut old = later(&rig, "hang", &[]);
        let mut new = rig.launch(&rig.release_with_layouts("earlier", [1, 1], DONE), &TAKES_OVER);
        rig.until_played("later-down", 1);
        let state = rig.until_state("stepping down", |state| state.phase.as_str() == "stepping-down");
        match victim {
            "the new supervisor" => new.kill(),
            "the old one" => old.kill(),
            _ => signal_agent(&state, Signal::SIGKILL).unwrap(),
        }
        if victim == "the old one" {
            assert_eq!(new.ended(), Some(75));
            old = rig.launch(&rig.path("release-later"), &[]);
        }
        rig.until_runs(&old, &digest(&rig.path("release-later")));
        assert_eq!((rig.played().last().map(String::as_str), rig.overlaps()), (Some("later"), 0));
        assert!(!rig.played().contains(&"earlier".to_owned()));
    }
}

/// Nobody can know what it needs: its agent, which finds maps that it does not know, makes it give back.
#[test]
fn a_new_supervisor_that_says_no_release_or_no_layouts_gets_the_seat_as_ever() {
    let rig = Rig::new("");
    let mut old = later(&rig, DONE, &[]);
    let silent = rig.release("silent", GOOD);
    let ask = |digest| {
        rig.client().ask("0.0.9", digest, Vec::new(), Duration::from_secs(60)).unwrap().rollback().unwrap()
    };
    ask(None);
    until("its being told", || {
        old.log().contains("the new supervisor does not say its release").then_some(())
    });
    rig.until_running(&old);
    let new = rig.launch(&silent, &TAKES_OVER);
    assert_eq!(old.ended(), Some(0));
    rig.until_runs(&new, &digest(&silent));
    assert!(old.log().contains("does not say its layouts: nothing steps down for it"), "{}", old.log());
    assert_eq!((rig.played(), rig.overlaps()), (["later", "later", "silent"].map(str::to_owned).into(), 0));
}

/// The earlier release runs, and the later one is tried once.
fn later_tried(rig: &Rig, script: &str, steps_down: &str, options: &[&str]) -> (Supervisor, u64) {
    let supervisor = rig.launch(&rig.release_with_layouts("earlier", [1, 1], DONE), options);
    rig.until_running(&supervisor);
    let later = rig.release_with_layouts("later", [2, 1], steps_down);
    fs::write(rig.path("later"), script).unwrap();
    let (_, trial) = rig.upgrade(&later, 1);
    (supervisor, trial)
}

/// The committed release runs, the other one is gone, and has left nothing.
fn until_settled(rig: &Rig, supervisor: &Supervisor) -> State {
    let state = rig.until_runs(supervisor, &digest(&rig.path("release-earlier")));
    until("its settling", || rig.ledger().outgoing.is_none().then_some(()));
    let later = rig.store().place(&digest(&rig.path("release-later")));
    until("its removal", || (!later.exists()).then_some(()));
    assert_eq!(rig.overlaps(), 0);
    state
}

#[test]
fn a_later_release_that_falls_after_its_generation_stayed_steps_down_before_the_committed_one_runs() {
    let rig = Rig::new("");
    let (supervisor, trial) = later_tried(&rig, FALLS, DONE, &[]);
    assert!(!rig.until_trial_ended(trial).0.committed);
    until_settled(&rig, &supervisor);
    assert_eq!(rig.played(), ["earlier", "later", "later-down", "earlier"]);
    assert_eq!(told(&rig)["current"]["origins"], 1, "it is told what the committed release knows");
}

#[test]
fn a_later_release_that_was_never_ready_is_not_waited_for() {
    let rig = Rig::new("");
    let (supervisor, trial) = later_tried(&rig, "exit 1", DONE, &[]);
    assert!(!rig.until_trial_ended(trial).0.committed);
    until_settled(&rig, &supervisor);
    assert_eq!(rig.played(), ["earlier", "later", "earlier"]);
}

#[test]
fn a_later_release_that_does_not_step_down_keeps_the_committed_one_from_nothing_and_is_told() {
    let ways = [("say STATUS=origins: no room\nexit 1", "(exit status: 1)"), ("hang", "within 3200 ms")];
    for (steps_down, expected) in ways {
        let rig = Rig::new("");
        let times = ["--start-timeout-ms", "3000", "--gate-ms", "200"];
        let (supervisor, trial) = later_tried(&rig, FALLS, steps_down, &times);
        fs::write(rig.path("earlier"), "await go\nsay READY=1\nlive").unwrap();
        assert!(!rig.until_trial_ended(trial).0.committed);
        let state = rig.until_state("a note", |state| !releases(state).notes.is_empty());
        let notes = releases(&state).notes.join("\n");
        assert!(notes.contains("the release that ran before did not step down"), "{notes}");
        assert!(notes.contains(expected), "{notes}");
        fs::write(rig.path("go"), "").unwrap();
        let state = until_settled(&rig, &supervisor);
        assert_eq!(releases(&state).notes, [""; 0], "it has come to its end");
        assert_eq!(rig.played(), ["earlier", "later", "later-down", "earlier"]);
    }
}

/// Nothing else remembers it but the ledger.
#[test]
fn a_later_release_steps_down_also_if_its_supervisor_was_killed_with_it_or_meanwhile() {
    for victim in ["later", "later-down"] {
        let rig = Rig::new("");
        let script = if victim == "later" { GOOD } else { FALLS };
        let steps_down = if victim == "later" { DONE } else { "hang" };
        let (mut supervisor, trial) = later_tried(&rig, script, steps_down, &["--trial-gate-ms", "60000"]);
        rig.until_played(victim, 1);
        until("its being written down", || rig.ledger().outgoing.map(drop));
        supervisor.kill();
        fs::write(rig.path("later-down"), DONE).unwrap();
        let supervisor = rig.launch(&rig.path("release-earlier"), &[]);
        until_settled(&rig, &supervisor);
        assert!(!rig.until_trial_ended(trial).0.committed);
        let last: Vec<_> = rig.played().into_iter().rev().take(2).collect();
        assert_eq!(last, ["earlier", "later-down"]);
    }
}

#[test]
fn a_later_supervisor_that_took_over_and_fell_has_its_release_step_down_before_the_old_one_goes_on() {
    let rig = Rig::new("");
    let mut old = rig.launch(&rig.release_with_layouts("earlier", [1, 1], DONE), &[]);
    rig.until_running(&old);
    let later = rig.release_with_layouts("later", [2, 1], DONE);
    let mut new = rig.launch(&later, &["--takeover", "--takeover-gate-ms", "60000"]);
    rig.until_running(&new);
    new.kill();
    rig.until_runs(&old, &digest(&rig.path("release-earlier")));
    assert_eq!(
        (rig.played(), rig.overlaps()),
        (["earlier", "later", "later-down", "earlier"].map(str::to_owned).into(), 0)
    );
    until("its settling", || rig.ledger().outgoing.is_none().then_some(()));

    let new = rig.launch(&later, &TAKES_OVER);
    assert_eq!(old.ended(), Some(0));
    rig.until_runs(&new, &digest(&later));
    assert_eq!((rig.ledger().outgoing, rig.ledger().committed), (None, digest(&later)));
}
