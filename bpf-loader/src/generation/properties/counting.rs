//! What programs count, while generations come and go: whenever somebody looks, it is told once.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::tally::{Counts, Tally};

/// What was counted, and what is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counting {
    /// Program runs.
    truth: u64,
    /// What stands in the counters of each generation.
    counters: BTreeMap<u32, Counts>,
    /// Generations whose programs may still run although no link attaches them.
    running: BTreeSet<u32>,
    /// Maps that were ever made.
    made: u32,
    tally: Tally,
    /// A careless one: it does not remember whom it has added.
    pub forgetful: bool,
}

const NAME: &str = "runs";

impl Counting {
    pub fn make(&mut self, generation: u32) {
        self.made += 1;
        let counts = Counts { map: self.made, counts: vec![(NAME.into(), 0)] };
        self.counters.insert(generation, counts);
    }

    /// A link was led away from these programs.
    pub fn left(&mut self, from: Programs) {
        self.running.insert(from.generation());
    }

    pub fn barrier(&mut self) {
        self.running.clear();
    }

    pub fn begin(&mut self) {
        self.tally = Tally::default();
    }

    pub fn add(&mut self, generation: u32) {
        if self.forgetful {
            let said = self.tally.with(&[]).into_iter().collect();
            self.tally = Tally::default();
            self.tally.add(&Counts { map: 0, counts: said });
        }
        if let Some(counts) = self.counters.get(&generation) {
            self.tally.add(counts);
        }
    }

    pub fn remove(&mut self, generation: u32) {
        self.counters.remove(&generation);
    }

    /// Every program that is attached runs once, and those that were left.
    pub fn run(&mut self, links: &Links) {
        for at in links.values().map(|at| at.generation()).chain(self.running.iter().copied()) {
            self.truth += 1;
            if let Some(counts) = self.counters.get_mut(&at) {
                counts.counts[0].1 += 1;
            }
        }
    }

    /// What somebody sees who looks at the generations that are complete.
    pub fn check(&self, complete: impl Fn(u32) -> bool) -> Result<(), String> {
        let standing = self.counters.iter().filter(|(generation, _)| complete(**generation));
        let standing: Vec<_> = standing.map(|(_, counts)| counts.clone()).collect();
        match self.tally.with(&standing).get(NAME).copied().unwrap_or_default() {
            shown if shown == self.truth => Ok(()),
            shown => Err(format!("{shown} runs are shown of {}", self.truth)),
        }
    }
}

fn forth_and_back() -> [Vec<Step>; 2] {
    [upgrade(), rolled_back()]
}

/// What a careless planner would do.
#[test]
fn counts_that_are_lost_or_doubled_are_noticed() {
    let is_count = |step: &Step| matches!(step, Step::Count { .. });
    let is_remove = |step: &Step| matches!(step, Step::Remove { .. });
    let is_switch = |step: &Step| matches!(step, Step::Switch { .. });
    let is_barrier = |step: &Step| *step == Step::Barrier;
    let world = World::with_a_generation();
    let lost = |steps: Vec<Step>| {
        let why = survive(&world, &steps).unwrap_err();
        assert!(why.contains("runs are shown of"), "{why}");
    };
    for steps in forth_and_back() {
        lost(swapped(steps.clone(), &is_remove, &is_count));
        lost(swapped(steps.clone(), &is_count, &is_switch));
        lost(swapped(steps.clone(), &is_count, &is_barrier));
        lost(steps.into_iter().filter(|step| !is_count(step)).collect());
    }
    let mut forgetful = World::with_a_generation();
    forgetful.counting.forgetful = true;
    for steps in forth_and_back() {
        let why = survive(&forgetful, &steps).unwrap_err();
        assert!(why.contains("runs are shown of"), "{why}");
    }
}

/// One change after another, each interrupted somewhere, and its recovery too.
#[derive(Clone, Debug)]
struct Attempt {
    stays: bool,
    cut: Option<Index>,
    cut_again: Option<Index>,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let cut = || proptest::option::of(any::<Index>());
    (any::<bool>(), cut(), cut()).prop_map(|(stays, cut, cut_again)| Attempt { stays, cut, cut_again })
}

impl World {
    fn attempt(&mut self, attempt: &Attempt) -> Result<(), String> {
        let from = self.kernel.live.ok_or("nothing is live")?;
        let change = Change { from, to: from + 1, ..change() };
        let trying = plan::trying(&change, &on(Programs::Of(from)), &[]);
        let there = on(Programs::Of(change.to));
        let rest = match attempt.stays {
            true => plan::committing(&change, &there, &[]),
            false => plan::rolling_back(&change, &there, &[], "connections failed"),
        };
        self.perform_up_to([trying, rest].concat(), attempt.cut)?;
        self.perform_up_to(self.recovery(), attempt.cut_again)?;
        self.perform_up_to(self.recovery(), None)
    }

    /// The step at which it is interrupted may be half done.
    fn perform_up_to(&mut self, steps: Vec<Step>, cut: Option<Index>) -> Result<(), String> {
        let end = cut.map_or(steps.len(), |cut| cut.index(steps.len() + 1));
        steps[..end].iter().try_for_each(|step| self.perform(step))?;
        if let Some(step) = steps.get(end) {
            *self = self.clone().half_done(step);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn whatever_becomes_of_generations_every_run_is_told_once(
        attempts in proptest::collection::vec(attempt(), 1..24)
    ) {
        let mut world = World::with_a_generation();
        for attempt in &attempts {
            world.attempt(attempt).map_err(TestCaseError::fail)?;
        }
    }
}
