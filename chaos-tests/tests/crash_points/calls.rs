//! The same at every system call that changes something, as strace sees them: no step hides one that is not survived.
//!
//! All of them take hours: with `EVERMESH_CRASH_PART=2/3` it is the second third.

use std::{collections::BTreeSet, env, process::Command};

use crate::{
    all,
    plane::{Kind, Plane, Task},
    points::{self, KILL, errors, kill_and_errors, points},
    strace::{Call, calls, disturbed, goes_on_or_tells, unlisted},
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
    survive(Kind::Table, "commit", &[KILL.to_owned()]);
}

#[test]
fn a_kill_at_any_call_of_a_migration_is_survived() {
    survive(Kind::Frozen, "commit", &[KILL.to_owned()]);
}

#[test]
fn an_error_of_any_call_is_survived() {
    survive(Kind::Table, "commit", &errors());
}

#[test]
fn an_error_of_any_call_of_a_migration_is_survived() {
    survive(Kind::Frozen, "commit", &errors());
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_change_of_enrolled_is_survived() {
    survive(Kind::Pods, "commit", &kill_and_errors());
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_roll_back_is_survived() {
    survive(Kind::Table, "roll-back", &kill_and_errors());
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_migration_that_is_rolled_back_is_survived() {
    survive(Kind::Frozen, "roll-back", &kill_and_errors());
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

/// One of these faults is done to some calls; or each of them to all.
fn survive(kind: Kind, then: &'static str, faults: &[String]) {
    let plane = Plane::new(kind);
    let calls = calls(&plane, &plane.command(plane.change(then)));
    let chosen = points(&calls, faults, sample(kind), 11);
    let chosen = if all() { part(&chosen) } else { &chosen };
    points::survive(&plane, chosen, |call, fault| disturb(&plane, then, call, fault));
}

/// What is asked for of all.
fn part<T>(all: &[T]) -> &[T] {
    let Ok(part) = env::var("EVERMESH_CRASH_PART") else { return all };
    let (which, of) = part.split_once('/').unwrap();
    let (which, of): (usize, usize) = (which.parse().unwrap(), of.parse().unwrap());
    println!("part {which} of {of} of {}", all.len());
    all.chunks(all.len().div_ceil(of)).nth(which - 1).unwrap_or_default()
}

fn disturb(plane: &Plane, then: &'static str, call: &Call, fault: &str) {
    let output = disturbed(plane, call, fault, &plane.command(plane.change(then)));
    goes_on_or_tells(&output, fault, call);
    let (_, room) = plane.recovered();
    assert!(plane.kind.sizes().contains(&room), "{fault} of {call:?}");
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
