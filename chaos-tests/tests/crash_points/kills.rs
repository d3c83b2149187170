use evermesh_chaos_tests::{faults::random, oracle::Verdict};
use rand::RngExt;

use crate::plane::{Plane, SIZES, Task, event};

/// How many pairs of moments are tried where not all are asked for.
const SAMPLE: usize = 40;

/// The process ends before and after each step of a change; the next start leads to the old or, once that was said, to
/// the new generation.
#[test]
fn a_change_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive("commit", |_| vec![None]);
}

#[test]
fn a_roll_back_that_is_cut_off_anywhere_is_finished() {
    survive("roll-back", |_| vec![None]);
}

#[test]
fn a_recovery_that_is_cut_off_anywhere_is_taken_up_again() {
    let mut random = random(7);
    survive("commit", |recovery| {
        if std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all") {
            return (0..recovery).map(Some).collect();
        }
        // One of three moments of the change, and one moment of its recovery.
        let chosen = recovery > 0 && random.random_range(0..3) == 0;
        if chosen { vec![Some(random.random_range(0..recovery))] } else { vec![] }
    });
}

/// Cuts a change off at every moment, and its recovery at those that `cuts` chooses of so many.
fn survive(then: &'static str, mut cuts: impl FnMut(usize) -> Vec<Option<usize>>) {
    let plane = Plane::new();
    let mut survived = 0;
    let report = plane.under_traffic(|| {
        let mut events = Vec::new();
        let (_, room) = plane.settled();
        let other = |room: u32| SIZES[usize::from(room == SIZES[0])];
        let whole = Task { endpoints: other(room), then, end_at: None };
        let moments = plane.run(whole).finished().moments;
        for (at, moment) in moments.iter().enumerate() {
            let mut left = None::<Vec<Option<usize>>>;
            while left.as_ref().is_none_or(|left| !left.is_empty()) {
                let (live, room) = plane.settled();
                let cut = left.as_mut().and_then(Vec::pop).flatten();
                let change = Task { endpoints: other(room), then, end_at: Some(at) };
                let mut recovery = 0;
                events.push(event(moment, || {
                    let run = plane.run(change).cut_off();
                    let room = if run.is_committed() { change.endpoints } else { room };
                    let again = Task { endpoints: room, then: "commit", end_at: cut };
                    if cut.is_some() {
                        plane.run(again).cut_off();
                    }
                    recovery = plane.run(Task { end_at: None, ..again }).finished().moments.len();
                    let (now, found) = plane.settled();
                    assert_eq!((now > live, found), (run.is_committed(), room), "cut off at {moment}");
                }));
                survived += 1;
                left.get_or_insert_with(|| cuts(recovery).into_iter().filter(Option::is_some).collect());
            }
        }
        events
    });
    println!("survived {survived} of {survived}\n{report}");
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    assert!(survived > SAMPLE, "{survived}");
}
