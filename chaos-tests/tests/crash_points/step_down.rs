//! A later release steps down, for an earlier one to follow, and is disturbed at any of its calls: its next start runs again.

use evermesh_chaos_tests::{faults::random, oracle::Verdict};
use rand::RngExt;

use crate::{
    all,
    calls::kill_and_errors,
    plane::{Kind, Plane, Task, event},
    strace::{Call, calls, disturbed, goes_on_or_tells, one_of},
    survival::Survival,
};

const LATER: &str = "evermesh-plane-layouts";
/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 6;
/// Disturbed calls under one run of traffic.
const AT_ONCE: usize = 200;

#[test]
fn a_kill_or_an_error_of_any_call_while_stepping_down_is_survived() {
    let plane = Plane::new(Kind::Table);
    let task = |then| Task { room: plane.kind.sizes()[0], then, end_at: None };
    let stands = || drop(plane.run_by(LATER, task("commit")).finished());
    let step_down = || plane.command_of(LATER, task("step-down"));
    stands();
    let calls = calls(&plane, &step_down());
    stands();
    let faults = kill_and_errors();
    let mut random = random(29);
    let points: Vec<(&Call, &String)> = match all() {
        true => calls.iter().flat_map(|call| faults.iter().map(move |fault| (call, fault))).collect(),
        false => (0..SAMPLE)
            .map(|_| (one_of(&calls, &mut random), &faults[random.random_range(0..faults.len())]))
            .collect(),
    };
    let what = |(call, fault): &(&Call, &String)| format!("{}, {fault}", call.name);
    let mut survival = Survival::of(points.iter().map(what));
    for some in points.chunks(AT_ONCE) {
        let disturb = |(call, fault): &(&Call, &String)| {
            event(fault, || {
                let output = disturbed(&plane, call, fault, &step_down());
                goes_on_or_tells(&output, fault, call);
                stands();
                plane.settled();
            })
        };
        let report = plane.under_traffic(|| some.iter().map(disturb).collect());
        println!("{report}");
        assert_eq!(report.verdict(), Verdict::Clean, "{report}");
        some.iter().for_each(|point| survival.survived(&what(point)));
    }
}
