//! An old and a new supervisor of one run directory.

use std::fs;

use evermesh_handover::{Intent, message::Phase};
use nix::sys::signal::Signal;

use crate::rig::{GOOD, PATIENCE, Rig, until, until_gone};

#[test]
fn a_new_supervisor_takes_over_and_the_old_one_ends() {
    let rig = Rig::new(GOOD);
    let mut old = rig.start(&[]);
    rig.until_running(&old);
    let mut new = rig.start(&["--takeover", "--takeover-gate-ms", "50"]);
    rig.until_running(&new);
    assert_eq!(old.ended(), Some(0));
    insta::assert_snapshot!(old.words(), @"A new supervisor has taken over.");
    assert_eq!(rig.client().state().unwrap().pid, new.pid());
    assert!(new.is_alive());
    assert_eq!((rig.starts(), rig.overlaps()), (2, 0));
}

#[test]
fn with_nobody_to_take_over_from_it_just_starts() {
    let rig = Rig::new(GOOD);
    let supervisor = rig.start(&["--takeover", "--takeover-gate-ms", "50"]);
    rig.until_running(&supervisor);
}

#[test]
fn the_old_supervisor_takes_back_when_the_new_one_dies() {
    let rig = Rig::new(GOOD);
    let old = rig.start(&[]);
    let before = rig.until_running(&old);
    let mut new = rig.start(&["--takeover", "--takeover-gate-ms", "60000"]);
    let taken = rig.until_running(&new);
    until_gone(before.agent_pid.unwrap());
    new.kill();
    let back = rig.until_running(&old);
    until_gone(taken.agent_pid.unwrap());
    assert_eq!(rig.client().state().unwrap(), back);
    assert!(back.restarts.values().all(|&count| count == 0), "{back:?}");
    assert_eq!((rig.starts(), rig.overlaps()), (3, 0));
}

#[test]
fn the_old_supervisor_takes_back_when_the_new_agent_does_not_become_ready() {
    let rig = Rig::new(GOOD);
    let old = rig.start(&[]);
    rig.until_running(&old);
    rig.script("say STATUS=not ready\nhang");
    let mut new = rig.start(&["--takeover", "--takeover-timeout-ms", "500"]);
    rig.until_state("the new one", |state| state.pid == new.pid() && state.status.is_some());
    rig.script(GOOD);
    assert_eq!(new.ended(), Some(70));
    rig.until_running(&old);
    assert_eq!((rig.starts(), rig.overlaps()), (3, 0));
}

#[test]
fn a_new_supervisor_that_is_told_to_end_gives_back() {
    let rig = Rig::new(GOOD);
    let old = rig.start(&[]);
    rig.until_running(&old);
    let mut new = rig.start(&["--takeover", "--takeover-gate-ms", "60000"]);
    rig.until_running(&new);
    new.signal(Signal::SIGTERM);
    assert_eq!(new.ended(), Some(0));
    rig.until_running(&old);
}

/// Whoever removes Evermesh reaches the new one.
#[test]
fn an_uninstallation_meanwhile_ends_both() {
    let rig = Rig::new(GOOD);
    let mut old = rig.start(&[]);
    rig.until_running(&old);
    let mut new = rig.start(&["--takeover", "--takeover-gate-ms", "60000"]);
    rig.until_running(&new);
    Intent::Uninstall.record(&rig.path("state")).unwrap();
    rig.client().stop(Intent::Uninstall, PATIENCE).unwrap();
    assert_eq!((new.ended(), old.ended()), (Some(0), Some(0)));
    assert_eq!(old.words(), "Evermesh has stopped, to be uninstalled.");
    assert_eq!((rig.starts(), rig.run_dir().control_socket().exists()), (2, false));
}

#[test]
fn a_new_supervisor_that_is_stuck_is_killed_in_the_end() {
    let rig = Rig::new(GOOD);
    let old = rig.start(&["--stop-timeout-ms", "100"]);
    rig.until_running(&old);
    let times = ["--takeover-timeout-ms", "500", "--takeover-gate-ms", "500", "--stop-timeout-ms", "100"];
    rig.script("say STATUS=not ready\nhang");
    let new = rig.start(&[&["--takeover"], &times[..]].concat());
    rig.until_state("the new one", |state| state.pid == new.pid() && state.status.is_some());
    new.signal(Signal::SIGSTOP);
    rig.script(GOOD);
    rig.until_running(&old);
    until_gone(new.pid());
    assert_eq!(rig.overlaps(), 0);
}

#[test]
fn a_new_supervisor_stays_when_the_old_one_dies_meanwhile() {
    let rig = Rig::new(GOOD);
    let mut old = rig.start(&[]);
    rig.until_running(&old);
    let mut new = rig.start(&["--takeover", "--takeover-gate-ms", "60000"]);
    rig.until_running(&new);
    old.kill();
    until("the loss", || new.log().contains("has gone without waiting").then_some(()));
    assert!(new.is_alive());
    assert_eq!(rig.starts(), 2);
}

#[test]
fn supervisors_may_follow_each_other_for_ever() {
    let rig = Rig::new(GOOD);
    let mut old = rig.start(&[]);
    rig.until_running(&old);
    for _ in 0..5 {
        let new = rig.start(&["--takeover", "--takeover-gate-ms", "20"]);
        assert_eq!(old.ended(), Some(0));
        old = new;
    }
    rig.until_running(&old);
    assert_eq!((rig.starts(), rig.overlaps()), (6, 0));
    let left = fs::read_dir(rig.path("run")).unwrap().count();
    assert_eq!(left, 4, "lock, state, two sockets");
}

#[test]
fn a_takeover_is_refused_while_the_old_supervisor_ends() {
    let rig = Rig::new(&format!("ignore-sigterm\n{GOOD}"));
    let mut old = rig.start(&["--stop-timeout-ms", "2000"]);
    rig.until_running(&old);
    old.signal(Signal::SIGTERM);
    rig.until_state("stopping", |state| state.phase == Phase::Stopping);
    let mut new = rig.start(&["--takeover"]);
    assert_eq!(new.ended(), Some(75));
    assert!(new.words().contains("this supervisor is ending"), "{}", new.words());
    assert_eq!(old.ended(), Some(0));
}
