//! The same at every system call that changes something, as strace sees them: no step hides one that is not survived.

use std::{collections::BTreeSet, fs, process::Command};

use crate::{
    plane::{Kind, Plane, Task},
    points::{self, KILL, errors, kill_and_errors, points},
    strace::{Call, calls, disturbed_when_met, fewest_calls, unlisted, without_threads},
};

/// How many calls are tried where not all are asked for: of a migration fewer, whose changes take longer.
const fn sample(kind: Kind) -> usize {
    match kind {
        Kind::Table => 12,
        Kind::Frozen => 8,
        Kind::Pods => 4,
    }
}

#[test]
fn a_kill_at_any_call_is_survived() {
    survive(&Plane::new(Kind::Table), "commit", &[KILL.to_owned()]);
}

#[test]
fn a_kill_at_any_call_of_a_migration_is_survived() {
    survive(&Plane::new(Kind::Frozen), "commit", &[KILL.to_owned()]);
}

#[test]
fn an_error_of_any_call_is_survived() {
    survive(&Plane::new(Kind::Table), "commit", &errors());
}

#[test]
fn an_error_of_any_call_of_a_migration_is_survived() {
    survive(&Plane::new(Kind::Frozen), "commit", &errors());
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_change_of_enrolled_is_survived() {
    survive(&Plane::new(Kind::Pods), "commit", &kill_and_errors());
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_roll_back_is_survived() {
    survive(&Plane::new(Kind::Table), "roll-back", &kill_and_errors());
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_migration_that_is_rolled_back_is_survived() {
    survive(&Plane::new(Kind::Frozen), "roll-back", &kill_and_errors());
}

/// Calls that start the sentinel, talk with it and end it are among them.
#[test]
fn a_kill_or_an_error_of_any_call_of_a_change_that_a_sentinel_tries_is_survived() {
    survive(&Plane::with_sentinel(Kind::Table), "commit", &kill_and_errors());
}

/// A call of a kind that nobody has thought of would be disturbed by no test.
#[test]
fn every_call_is_of_a_kind_that_is_disturbed_or_changes_nothing() {
    for kind in [Kind::Table, Kind::Frozen, Kind::Pods] {
        let plane = Plane::new(kind);
        for then in ["commit", "roll-back"] {
            assert_eq!(
                unlisted(&plane, &plane.command(plane.change(then))),
                BTreeSet::new(),
                "{kind:?} {then}"
            );
        }
        assert_eq!(unlisted(&plane, &plane.uninstall()), BTreeSet::new());
        assert_eq!(unlisted(&plane, &plane.command(plane.first())), BTreeSet::new());
    }
    let plane = Plane::with_sentinel(Kind::Table);
    assert_eq!(unlisted(&plane, &plane.command(plane.change("commit"))), BTreeSet::new(), "by a sentinel");
}

/// Else the test above would be about nothing.
#[test]
fn a_call_of_a_kind_that_nobody_has_thought_of_is_seen() {
    let plane = Plane::new(Kind::Table);
    let mut touch = Command::new("touch");
    touch.arg(plane.directory().join("touched"));
    assert!(unlisted(&plane, &touch).contains("utimensat"));
}

/// Whoever gave the lock on the pins back fell over an error of that.
#[test]
fn a_lock_that_cannot_be_given_back_fells_nobody() {
    let plane = Plane::new(Kind::Table);
    let calls = calls(&plane, &plane.command(plane.change("commit")));
    for call in calls.iter().filter(|call| call.name == "flock") {
        disturb(&plane, "commit", call, "error=EIO");
    }
}

/// Whoever could not kill it waited for it for ever.
#[test]
fn a_sentinel_that_no_signal_reaches_ends_all_the_same() {
    let plane = Plane::with_sentinel(Kind::Table);
    let calls = calls(&plane, &plane.command(plane.change("commit")));
    let kills = || calls.iter().filter(|call| call.name == "kill");
    assert!(kills().next().is_some(), "a sentinel is killed");
    kills().for_each(|call| disturb(&plane, "commit", call, "error=EPERM"));
}

/// A start over a mesh so large that threads share its work panicked where none was to be had, as in a container with as many
/// processes as it may have.
#[test]
fn a_start_that_gets_no_threads_does_all_itself() {
    let plane = Plane::new(Kind::Table);
    let ports: String = (1..=40).map(|port| format!("      {port}: {port}\n")).collect();
    let service = |n: u32| {
        let (name, vip) = (format!("many-{n}"), format!("10.97.{}.{}", n / 200, n % 200 + 1));
        format!(
            "  - name: {name}\n    namespace: demo\n    hostname: {name}.demo\n    vips: [\"/{vip}\"]\n    ports:\n{ports}"
        )
    };
    let mesh = fs::read_to_string(plane.mesh()).unwrap();
    let many: String = (0..300).map(service).collect();
    fs::write(plane.mesh(), mesh.replace("workloads:\n", &format!("{many}workloads:\n"))).unwrap();
    assert!(plane.uninstall().output().unwrap().status.success());
    let refused = without_threads(&plane, &plane.command(plane.first()));
    assert!(refused > 1, "{refused} threads were asked for");
    plane.settled();
}

/// One of these faults is done to some calls; or each of them to all.
fn survive(plane: &Plane, then: &'static str, faults: &[String]) {
    let change = || plane.command(plane.change(then));
    let settle = || {
        plane.recovered();
    };
    let calls = fewest_calls(plane, change, settle);
    let chosen = points(&calls, faults, sample(plane.kind), 11);
    points::survive(plane, &chosen, |call, fault| disturb(plane, then, call, fault));
}

fn disturb(plane: &Plane, then: &'static str, call: &Call, fault: &str) {
    let change = || plane.command(plane.change(then));
    disturbed_when_met(plane, call, fault, change, || {
        let (_, room) = plane.recovered();
        assert!(plane.kind.sizes().contains(&room), "{fault} of {call:?}");
    });
}

impl Plane {
    /// To the other size than the live one.
    fn change(&self, then: &'static str) -> Task {
        Task { room: self.kind.other(self.room()), then, end_at: None }
    }

    /// The first one, over nothing.
    pub fn first(&self) -> Task {
        Task { room: self.kind.sizes()[0], then: "commit", end_at: None }
    }

    /// The next start, which wants what it finds.
    fn recovered(&self) -> (u32, u32) {
        self.run(Task { room: self.room(), then: "commit", end_at: None }).finished();
        self.settled()
    }
}
