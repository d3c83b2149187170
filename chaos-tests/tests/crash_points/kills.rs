use std::fs;

use evermesh_chaos_tests::{binaries, oracle::Event};

use crate::{
    all,
    plane::{Kind, Plane, Task},
    survival,
};

/// The process ends before each step of a change, which is after the one before it, or on either side of each; the next start leads to the old or, once that was said, to
/// the new generation.
#[test]
fn a_change_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive(&Plane::new(Kind::Table), "commit", 2, |cutter, at| {
        cutter.cut("commit", at, None);
    });
}

#[test]
fn a_roll_back_that_is_cut_off_anywhere_is_finished() {
    survive(&Plane::new(Kind::Table), "roll-back", 1, |cutter, at| {
        cutter.cut("roll-back", at, None);
    });
}

/// Neither its process nor its cgroup, nor its enrolment, stays behind.
#[test]
fn a_change_that_a_sentinel_tries_and_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive(&Plane::with_sentinel(Kind::Table), "commit", 9, |cutter, at| cutter.cut_twice(at));
}

#[test]
fn a_migration_that_a_sentinel_tries_and_that_is_rolled_back_and_cut_off_anywhere_is_undone() {
    survive(&Plane::with_sentinel(Kind::Frozen), "roll-back", 9, |cutter, at| {
        cutter.cut("roll-back", at, None);
    });
}

/// One of three moments of a change and one of its recovery; or all pairs of them.
#[test]
fn a_recovery_that_is_cut_off_anywhere_is_taken_up_again() {
    survive(&Plane::new(Kind::Table), "commit", 3, |cutter, at| cutter.cut_twice(at));
}

/// What was written to the journal last may be lost with the machine's power. Whatever stands then is led to what is live.
#[test]
fn a_cut_that_costs_the_last_words_of_the_journal_leads_to_what_is_live() {
    survive(&Plane::new(Kind::Table), "commit", 5, |cutter, at| cutter.cut_and_forget(at));
}

/// And its recoveries: at one moment, or at all.
#[test]
fn a_migration_that_is_cut_off_anywhere_is_undone_or_finished() {
    survive(&Plane::new(Kind::Frozen), "commit", 13, |cutter, at| {
        cutter.cut_twice(at);
    });
}

#[test]
fn a_migration_that_is_rolled_back_and_cut_off_anywhere_is_undone() {
    survive(&Plane::new(Kind::Frozen), "roll-back", 7, |cutter, at| {
        cutter.cut("roll-back", at, None);
    });
}

#[test]
fn a_migration_whose_last_words_in_the_journal_are_lost_is_led_to_what_is_live() {
    survive(&Plane::new(Kind::Frozen), "commit", 29, |cutter, at| cutter.cut_and_forget(at));
}

/// And whoever enrols or removes a pod meanwhile has done so in the end.
#[test]
fn a_change_of_enrolled_that_is_cut_off_anywhere_is_undone_or_finished() {
    let (own, mut enrolled) = (binaries::find("evermesh").unwrap(), false);
    survive(&Plane::new(Kind::Pods), "commit", 7, |cutter, at| {
        enrolled = !enrolled;
        let writer = cutter.plane.enrolling(&own, enrolled);
        cutter.cut_twice(at);
        writer.finished();
    });
}

#[test]
fn a_change_of_enrolled_that_is_rolled_back_and_cut_off_anywhere_is_undone() {
    let (own, mut enrolled) = (binaries::find("evermesh").unwrap(), false);
    survive(&Plane::new(Kind::Pods), "roll-back", 9, |cutter, at| {
        enrolled = !enrolled;
        let writer = cutter.plane.enrolling(&own, enrolled);
        cutter.cut("roll-back", at, None);
        writer.finished();
    });
}

/// At each moment of a change with that end, or at one of so many.
fn survive(plane: &Plane, then: &'static str, one_of: usize, mut cut: impl FnMut(&mut Cutter<'_>, usize)) {
    let moments = plane.moments(then);
    let begins = plane.kind.begins(then, &moments);
    let chosen: Vec<usize> = (begins..moments.len()).step_by(if all() { 1 } else { one_of }).collect();
    survival::survive(
        plane,
        &chosen,
        |&at| kind_of(&moments[at]),
        |&at| {
            let mut cutter = Cutter { plane, events: Vec::new() };
            cut(&mut cutter, at);
            cutter.events
        },
    );
}

/// Of a moment, whatever generation, hook or table it is about.
fn kind_of(moment: &str) -> String {
    let is_name = |word: &&str| word.contains(|c: char| c.is_ascii_digit() || c == '_');
    moment.split(' ').filter(|word| !is_name(word)).collect::<Vec<_>>().join(" ")
}

impl Kind {
    /// A change that is to be rolled back is any other one until then, and one of `enrolled` until writers wait.
    fn begins(self, then: &str, moments: &[String]) -> usize {
        let word = match (self, then) {
            (_, "roll-back") => "being rolled back",
            (Self::Pods, _) => "have writers of enrolled wait",
            _ => return 0,
        };
        moments.iter().position(|moment| moment.contains(word)).unwrap()
    }
}

impl Plane {
    /// Those of a change that nothing disturbs.
    fn moments(&self, then: &'static str) -> Vec<String> {
        let (_, room) = self.settled();
        self.run(Task { room: self.kind.other(room), then, end_at: None }).finished().moments
    }
}

struct Cutter<'a> {
    plane: &'a Plane,
    events: Vec<Event>,
}

impl Cutter<'_> {
    /// Cuts a change off at a moment, and its recovery too if one is named. How many moments the recovery had.
    fn cut(&mut self, then: &'static str, at: usize, recovery_at: Option<usize>) -> usize {
        let plane = self.plane;
        let (live, room) = plane.settled();
        let change = Task { room: plane.kind.other(room), then, end_at: Some(at) };
        let mut recovery = 0;
        let kind = if recovery_at.is_some() { "cut off twice" } else { "cut off" };
        self.events.push(Event::during(kind, || {
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

    /// Cuts a change off at a moment, and then also its recovery: at one of its moments, or once at each.
    fn cut_twice(&mut self, at: usize) {
        let recovery = self.cut("commit", at, None);
        let chosen = match (all(), recovery) {
            (true, _) => 0..recovery,
            (false, 0) => 0..0,
            (false, _) => at % recovery..at % recovery + 1,
        };
        for then in chosen {
            self.cut("commit", at, Some(then));
        }
    }

    /// Cuts a change off, and the journal says again what it said before it.
    fn cut_and_forget(&mut self, at: usize) {
        let plane = self.plane;
        let (live, room) = plane.settled();
        let journal = plane.journal();
        let before = fs::read(&journal).unwrap();
        self.events.push(Event::during("cut off and forgotten", || {
            let run =
                plane.run(Task { room: plane.kind.other(room), then: "commit", end_at: Some(at) }).cut_off();
            fs::write(&journal, &before).unwrap();
            // `live` is renamed after the word that the change is committed, and is all that tells of it.
            let moved = run
                .moments
                .iter()
                .any(|moment| moment.starts_with("after make generation") && moment.ends_with("live"));
            let expected = if moved { plane.kind.other(room) } else { room };
            plane.run(Task { room: expected, then: "commit", end_at: None }).finished();
            let (now, found) = plane.settled();
            assert_eq!((now > live, found), (moved, expected), "after {:?}", run.moments.last());
        }));
    }
}
