//! A later release steps down, for an earlier one to follow, and is disturbed at any of its calls: its next start runs again.

use crate::{
    plane::{Kind, Plane, Task},
    points::{self, kill_and_errors, points},
    strace::{disturbed_when_met, fewest_calls},
};

const LATER: &str = "evermesh-plane-layouts";
/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 6;

#[test]
fn a_kill_or_an_error_of_any_call_while_stepping_down_is_survived() {
    let plane = Plane::new(Kind::Table);
    let task = |then| Task { then, ..plane.first() };
    let stands = || drop(plane.run_by(LATER, task("commit")).finished());
    let step_down = || plane.command_of(LATER, task("step-down"));
    stands();
    let calls = fewest_calls(&plane, step_down, stands);
    points::survive(&plane, &points(&calls, &kill_and_errors(), SAMPLE, 29), |call, fault| {
        disturbed_when_met(&plane, call, fault, step_down, stands);
        plane.settled();
    });
}
