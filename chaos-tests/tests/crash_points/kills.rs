use evermesh_chaos_tests::{
    faults::random,
    oracle::{Event, Verdict},
};
use rand::RngExt;

use crate::plane::{Plane, SIZES, Task, event};

/// The process ends before and after each step of a change; the next start leads to the old or, once that was said, to
/// the new generation.
#[test]
fn a_change_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive(|cutter| {
        for at in 0..cutter.moments("commit").len() {
            cutter.cut("commit", at, None);
        }
    });
}

#[test]
fn a_roll_back_that_is_cut_off_anywhere_is_finished() {
    survive(|cutter| {
        let moments = cutter.moments("roll-back");
        let begins = moments.iter().position(|moment| moment.contains("being rolled back")).unwrap();
        for at in begins..moments.len() {
            cutter.cut("roll-back", at, None);
        }
    });
}

/// One of three moments of a change and one of its recovery; or all pairs of them.
#[test]
fn a_recovery_that_is_cut_off_anywhere_is_taken_up_again() {
    let all = std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all");
    let mut random = random(7);
    survive(|cutter| {
        let moments = cutter.moments("commit").len();
        for at in (0..moments).step_by(if all { 1 } else { 3 }) {
            let recovery = cutter.cut("commit", at, None);
            let one = (recovery > 0).then(|| random.random_range(0..recovery.max(1)));
            let chosen: Vec<_> = if all { (0..recovery).collect() } else { one.into_iter().collect() };
            for then in chosen {
                cutter.cut("commit", at, Some(then));
            }
        }
    });
}

fn survive(cut: impl FnOnce(&mut Cutter<'_>)) {
    let plane = Plane::new();
    let mut survived = 0;
    let report = plane.under_traffic(|| {
        let mut cutter = Cutter { plane: &plane, events: Vec::new() };
        cut(&mut cutter);
        survived = cutter.events.len();
        cutter.events
    });
    println!("survived {survived} of {survived}\n{report}");
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
}

struct Cutter<'a> {
    plane: &'a Plane,
    events: Vec<Event>,
}

impl Cutter<'_> {
    /// Of a change that nothing disturbs.
    fn moments(&self, then: &'static str) -> Vec<String> {
        let (_, room) = self.plane.settled();
        self.plane.run(Task { endpoints: other(room), then, end_at: None }).finished().moments
    }

    /// Cuts a change off at a moment, and its recovery too if one is named. How many moments the recovery had.
    fn cut(&mut self, then: &'static str, at: usize, recovery_at: Option<usize>) -> usize {
        let plane = self.plane;
        let (live, room) = plane.settled();
        let change = Task { endpoints: other(room), then, end_at: Some(at) };
        let mut recovery = 0;
        let kind = if recovery_at.is_some() { "cut off twice" } else { "cut off" };
        self.events.push(event(kind, || {
            let run = plane.run(change).cut_off();
            let room = if run.is_committed() { change.endpoints } else { room };
            let again = Task { endpoints: room, then: "commit", end_at: recovery_at };
            if recovery_at.is_some() {
                plane.run(again).cut_off();
            }
            recovery = plane.run(Task { end_at: None, ..again }).finished().moments.len();
            let (now, found) = plane.settled();
            assert_eq!((now > live, found), (run.is_committed(), room), "after {:?}", run.moments.last());
        }));
        recovery
    }
}

fn other(room: u32) -> u32 {
    SIZES[usize::from(room == SIZES[0])]
}
