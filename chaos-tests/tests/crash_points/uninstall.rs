//! Whoever removes Evermesh may be killed at any call: removing goes on where it stopped, and a start makes up for it.

use std::process::Command;

use evermesh_chaos_tests::{binaries, faults::random, sandbox::Objects};
use rand::RngExt;

use crate::{
    all,
    calls::errors,
    plane::{Kind, Plane, Task},
    strace::{Call, calls, disturbed, goes_on_or_tells, one_of},
    survival::Survival,
};

/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 8;

#[test]
fn a_removal_that_is_killed_at_any_call_goes_on_or_is_made_up_for() {
    let plane = Plane::new(Kind::Table);
    let calls = calls(&plane, &plane.uninstall());
    assert_eq!(plane.pinned(), Objects::default());
    let mut random = random(13);
    let chosen: Vec<&Call> = match all() {
        true => calls.iter().collect(),
        false => (0..SAMPLE).map(|_| &calls[random.random_range(0..calls.len())]).collect(),
    };
    let mut survival = Survival::of(chosen.iter().flat_map(|call| [call.name.as_str(); 2]));
    for call in chosen {
        for again in [false, true] {
            plane.start();
            disturbed(&plane, call, "signal=SIGKILL", &plane.uninstall());
            if again {
                plane.start();
                plane.settled();
            }
            plane.remove(call);
            survival.survived(&call.name);
        }
    }
}

#[test]
fn a_removal_that_meets_an_error_at_any_call_goes_on_or_is_made_up_for() {
    let plane = Plane::new(Kind::Table);
    let calls = calls(&plane, &plane.uninstall());
    let chosen = some_with_errors(&calls);
    let mut survival = Survival::of(chosen.iter().map(|(call, _)| call.name.as_str()));
    for (turn, (call, error)) in chosen.into_iter().enumerate() {
        plane.start();
        goes_on_or_tells(&disturbed(&plane, call, &error, &plane.uninstall()), &error, call);
        if turn % 2 == 0 {
            plane.start();
            plane.settled();
        }
        plane.remove(call);
        survival.survived(&call.name);
    }
}

#[test]
fn a_first_start_that_meets_an_error_at_any_call_is_made_up_for() {
    let plane = Plane::new(Kind::Table);
    let first = plane.command(Task { room: plane.kind.sizes()[0], then: "commit", end_at: None });
    assert!(plane.uninstall().output().unwrap().status.success());
    let calls = calls(&plane, &first);
    let chosen = some_with_errors(&calls);
    let mut survival = Survival::of(chosen.iter().map(|(call, _)| call.name.as_str()));
    for (turn, (call, error)) in chosen.into_iter().enumerate() {
        plane.remove(call);
        goes_on_or_tells(&disturbed(&plane, call, &error, &first), &error, call);
        if turn % 2 == 0 {
            plane.start();
            plane.settled();
        }
        plane.remove(call);
        survival.survived(&call.name);
    }
}

/// Each error of each call, or some of them.
fn some_with_errors(calls: &[Call]) -> Vec<(&Call, String)> {
    let mut random = random(23);
    match all() {
        true => calls.iter().flat_map(|call| errors().map(|error| (call, error))).collect(),
        false => (0..SAMPLE)
            .map(|_| (one_of(calls, &mut random), errors()[random.random_range(0..errors().len())].clone()))
            .collect(),
    }
}

impl Plane {
    fn remove(&self, call: &Call) {
        let done = self.uninstall().output().unwrap();
        assert!(done.status.success(), "{call:?}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(self.pinned(), Objects::default(), "{call:?}");
    }

    pub fn uninstall(&self) -> Command {
        let mut command = Command::new(binaries::find("evermesh").unwrap());
        command.arg("uninstall").args(self.directories()).arg("--run-dir").arg(self.directory().join("run"));
        command
    }

    pub fn start(&self) {
        self.run(Task { room: self.kind.sizes()[0], then: "commit", end_at: None }).finished();
    }

    /// What stands below the pin directory.
    fn pinned(&self) -> Objects {
        Objects::pinned_below(self.pins().root()).unwrap()
    }
}
