//! A later release steps down, for an earlier one to follow, and is disturbed at any of its calls: its next start runs again.

use crate::{
    plane::{Kind, Plane, Task},
    points::{self, kill_and_errors, points},
    strace::{calls, disturbed_if_met, goes_on_or_tells},
};

const LATER: &str = "evermesh-plane-layouts";
/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 6;
/// Meanwhile counters are read as often as there is time for: the last calls of a run may not be met in the next one.
const RUNS: usize = 5;

#[test]
fn a_kill_or_an_error_of_any_call_while_stepping_down_is_survived() {
    let plane = Plane::new(Kind::Table);
    let task = |then| Task { then, ..plane.first() };
    let stands = || drop(plane.run_by(LATER, task("commit")).finished());
    let step_down = || plane.command_of(LATER, task("step-down"));
    let runs = (0..RUNS).map(|_| {
        stands();
        calls(&plane, &step_down())
    });
    let calls = runs.min_by_key(Vec::len).unwrap();
    stands();
    points::survive(&plane, &points(&calls, &kill_and_errors(), SAMPLE, 29), |call, fault| {
        let met = (0..RUNS).find_map(|_| {
            let output = disturbed_if_met(&plane, call, fault, &step_down());
            stands();
            output
        });
        goes_on_or_tells(&met.unwrap_or_else(|| panic!("no {fault} of {call:?}")), fault, call);
        plane.settled();
    });
}
