//! The same at every system call that changes something, as strace sees them: no step hides one that is not survived.
//!
//! All of them take hours: with `EVERMESH_CRASH_PART=2/3` it is the second third.

use std::{collections::BTreeSet, env, process::Command};

use evermesh_chaos_tests::{
    faults::random,
    oracle::{Event, Verdict},
};
use rand::RngExt;

use crate::{
    all,
    plane::{Kind, Plane, Task, event},
    strace::{Call, calls, disturbed, goes_on_or_tells, one_of, unlisted},
    survival::Survival,
};

const ERRORS: [&str; 5] = ["EIO", "ENOMEM", "EPERM", "ENOSPC", "EINTR"];
/// How many calls are tried where not all are asked for: of a migration fewer, whose changes take longer.
const fn sample(kind: Kind) -> usize {
    match kind {
        Kind::Table => 12,
        Kind::Frozen => 8,
        Kind::Pods => 4,
    }
}
/// Disturbed calls under one run of traffic.
const AT_ONCE: usize = 200;

#[test]
fn a_kill_at_any_call_is_survived() {
    survive(Kind::Table, "commit", &["signal=SIGKILL"]);
}

#[test]
fn a_kill_at_any_call_of_a_migration_is_survived() {
    survive(Kind::Frozen, "commit", &["signal=SIGKILL"]);
}

#[test]
fn an_error_of_any_call_is_survived() {
    survive(Kind::Table, "commit", &errors().each_ref().map(String::as_str));
}

#[test]
fn an_error_of_any_call_of_a_migration_is_survived() {
    survive(Kind::Frozen, "commit", &errors().each_ref().map(String::as_str));
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_change_of_enrolled_is_survived() {
    survive(Kind::Pods, "commit", &kill_and_errors().each_ref().map(String::as_str));
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_roll_back_is_survived() {
    survive(Kind::Table, "roll-back", &kill_and_errors().each_ref().map(String::as_str));
}

#[test]
fn a_kill_or_an_error_of_any_call_of_a_migration_that_is_rolled_back_is_survived() {
    survive(Kind::Frozen, "roll-back", &kill_and_errors().each_ref().map(String::as_str));
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

pub fn kill_and_errors() -> [String; 6] {
    let [a, b, c, d, e] = errors();
    [a, b, c, d, e, "signal=SIGKILL".to_owned()]
}

pub fn errors() -> [String; 5] {
    ERRORS.map(|error| format!("error={error}"))
}

/// One of these faults is done to some calls; or each of them to all.
fn survive(kind: Kind, then: &'static str, faults: &[&str]) {
    let plane = Plane::new(kind);
    let calls = calls(&plane, &plane.command(plane.change(then)));
    let mut random = random(11);
    let chosen: Vec<(&Call, &str)> = match all() {
        true => {
            let all: Vec<_> =
                calls.iter().flat_map(|call| faults.iter().map(move |fault| (call, *fault))).collect();
            part(&all).to_vec()
        }
        false => (0..sample(kind))
            .map(|_| (one_of(&calls, &mut random), faults[random.random_range(0..faults.len())]))
            .collect(),
    };
    let what = |(call, fault): &(&Call, &str)| format!("{}, {fault}", call.name);
    let mut survival = Survival::of(chosen.iter().map(what));
    for some in chosen.chunks(AT_ONCE) {
        let report = plane
            .under_traffic(|| some.iter().map(|(call, fault)| disturb(&plane, then, call, fault)).collect());
        println!("{report}");
        assert_eq!(report.verdict(), Verdict::Clean, "{report}");
        some.iter().for_each(|chosen| survival.survived(&what(chosen)));
        println!("{}", survival.so_far());
    }
}

/// What is asked for of all.
fn part<T>(all: &[T]) -> &[T] {
    let Ok(part) = env::var("EVERMESH_CRASH_PART") else { return all };
    let (which, of) = part.split_once('/').unwrap();
    let (which, of): (usize, usize) = (which.parse().unwrap(), of.parse().unwrap());
    println!("part {which} of {of} of {}", all.len());
    all.chunks(all.len().div_ceil(of)).nth(which - 1).unwrap_or_default()
}

fn disturb(plane: &Plane, then: &'static str, call: &Call, fault: &str) -> Event {
    event(fault, || {
        let output = disturbed(plane, call, fault, &plane.command(plane.change(then)));
        goes_on_or_tells(&output, fault, call);
        let (_, room) = plane.recovered();
        assert!(plane.kind.sizes().contains(&room), "{fault} of {call:?}");
    })
}

impl Plane {
    /// To the other size than the live one.
    fn change(&self, then: &'static str) -> Task {
        Task { room: self.kind.other(self.room()), then, end_at: None }
    }

    fn first(&self) -> Task {
        Task { room: self.kind.sizes()[0], then: "commit", end_at: None }
    }

    /// The next start, which wants what it finds.
    fn recovered(&self) -> (u32, u32) {
        self.run(Task { room: self.room(), then: "commit", end_at: None }).finished();
        self.settled()
    }
}
