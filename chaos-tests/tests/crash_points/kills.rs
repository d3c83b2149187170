use std::ops::Range;

use evermesh_chaos_tests::{
    faults::random,
    oracle::{Event, Verdict},
};
use rand::RngExt;

use crate::plane::{Kind, Plane, Task, event};

/// Every moment has its turn while the list of steps changes, and `all` tries each.
const SAMPLED: usize = 12;

/// The process ends before and after each step of a change; the next start leads to the old or, once that was said, to
/// the new generation.
#[test]
fn a_change_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive(Kind::Table, |cutter| {
        for at in 0..cutter.moments("commit").len() {
            cutter.cut("commit", at, None);
        }
    });
}

#[test]
fn a_migration_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive(Kind::Frozen, |cutter| {
        let moments = cutter.moments("commit");
        for at in sampled(0..moments.len()) {
            let recovery = cutter.cut("commit", at, None);
            if at % 3 == 0 && recovery > 0 {
                cutter.cut("commit", at, Some(at % recovery));
            }
        }
    });
}

#[test]
fn a_migration_that_is_rolled_back_and_cut_off_anywhere_is_undone() {
    survive(Kind::Frozen, |cutter| {
        let moments = cutter.moments("roll-back");
        let begins = moments.iter().position(|moment| moment.contains("being rolled back")).unwrap();
        for at in sampled(begins..moments.len()) {
            cutter.cut("roll-back", at, None);
        }
    });
}

/// One moment of twelve, another one each time that the list grows; or all of them.
fn sampled(moments: Range<usize>) -> impl Iterator<Item = usize> {
    let first = moments.start + moments.len() % SAMPLED;
    let (first, step) = if all() { (moments.start, 1) } else { (first, SAMPLED) };
    (first..moments.end).step_by(step)
}

fn all() -> bool {
    std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all")
}

#[test]
fn a_roll_back_that_is_cut_off_anywhere_is_finished() {
    survive(Kind::Table, |cutter| {
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
    let all = all();
    let mut random = random(7);
    survive(Kind::Table, |cutter| {
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

fn survive(kind: Kind, cut: impl FnOnce(&mut Cutter<'_>)) {
    let plane = Plane::new(kind);
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
        self.plane.run(Task { room: self.plane.kind.other(room), then, end_at: None }).finished().moments
    }

    /// Cuts a change off at a moment, and its recovery too if one is named. How many moments the recovery had.
    fn cut(&mut self, then: &'static str, at: usize, recovery_at: Option<usize>) -> usize {
        let plane = self.plane;
        let (live, room) = plane.settled();
        let change = Task { room: plane.kind.other(room), then, end_at: Some(at) };
        let mut recovery = 0;
        let kind = if recovery_at.is_some() { "cut off twice" } else { "cut off" };
        self.events.push(event(kind, || {
            let run = plane.run(change).cut_off();
            let room = if run.is_committed() { change.room } else { room };
            let again = Task { room, then: "commit", end_at: recovery_at };
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
