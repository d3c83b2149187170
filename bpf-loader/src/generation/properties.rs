//! Every list of steps, interrupted before and after each of them, and its recovery interrupted in turn.

use std::collections::BTreeMap;

use evermesh_pins::Hook;

use super::*;
use crate::TableSizes;

const OLD: u32 = 4;
const NEW: u32 = 5;

/// What outlasts the agent: the kernel's objects and the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct World {
    journal: Journal,
    kernel: Observed,
    /// The supervisor's word was written down.
    committed: bool,
}

impl World {
    fn with_a_generation() -> Self {
        let kernel = Observed {
            live: Some(OLD),
            generations: BTreeMap::from([(OLD, Some([1; 32]))]),
            links: Hook::ALL.map(|hook| (hook, OLD)).into(),
        };
        Self { journal: Journal::default(), kernel, committed: false }
    }

    fn bare() -> Self {
        Self { journal: Journal::default(), kernel: Observed::default(), committed: false }
    }

    /// Does a step as the kernel would, or says why it would refuse, or what traffic would suffer.
    fn perform(&mut self, step: &Step) -> Result<(), String> {
        let kernel = &mut self.kernel;
        let finished = |generation: &u32| kernel.generations.get(generation).is_some_and(Option::is_some);
        match step {
            Step::Record(entry) => {
                self.committed |= *entry == Entry::Reached(Stage::Committed);
                self.journal = self.journal.clone().after(entry);
            }
            Step::MakeRoom { generation } => drop(kernel.generations.entry(*generation).or_insert(None)),
            Step::Finish { generation } => drop(kernel.generations.insert(*generation, Some([2; 32]))),
            Step::Attach { hook, generation } if finished(generation) && !kernel.links.contains_key(hook) => {
                kernel.links.insert(*hook, *generation);
            }
            Step::Switch { hook, from, to } if finished(to) && kernel.links.get(hook) == Some(from) => {
                kernel.links.insert(*hook, *to);
            }
            Step::MakeLive { generation } if finished(generation) => kernel.live = Some(*generation),
            Step::Remove { generation }
                if kernel.live != Some(*generation) && kernel.links.values().all(|at| at != generation) =>
            {
                kernel.generations.remove(generation);
            }
            Step::Attach { .. } | Step::Switch { .. } | Step::MakeLive { .. } | Step::Remove { .. } => {
                return Err(format!("{step} is wrong in {self:?}"));
            }
            _ => {}
        }
        Ok(())
    }

    /// Interrupted half-way: a generation without its manifest.
    fn half_done(mut self, step: &Step) -> Self {
        if let Step::Remove { generation } = step {
            self.kernel.generations.insert(*generation, None);
        }
        self
    }

    fn recovery(&self) -> Vec<Step> {
        match recover(&self.journal, &self.kernel, "its agent ended") {
            Recovery::Fresh { number, remove } => plan::first(number, &remove),
            Recovery::Adopt(adoption) => adoption.steps,
        }
    }

    /// One generation, live, with every hook; the new one only if that was committed; and nothing pending.
    fn check(&self) -> Result<(), String> {
        let live = self.kernel.live.ok_or("nothing is live")?;
        let alone = self.kernel.generations.keys().eq([&live]);
        let hooked = Hook::ALL.iter().all(|hook| self.kernel.links.get(hook) == Some(&live));
        let as_told = live == NEW || !self.committed;
        let not_untold = live != NEW || self.committed || !self.kernel.generations.contains_key(&OLD);
        match alone && hooked && as_told && not_untold && self.journal.change.is_none() {
            true => Ok(()),
            false => Err(format!("{self:?}")),
        }
    }
}

/// Performs the steps, interrupted at each moment; after each, the recovery, interrupted at each moment too. How many
/// moments there were.
fn survive(begin: &World, steps: &[Step]) -> Result<usize, String> {
    let mut moments = 0;
    let mut world = begin.clone();
    for at in 0..=steps.len() {
        let interrupted = steps.get(at).map(|step| world.clone().half_done(step));
        for found in interrupted.into_iter().chain([world.clone()]) {
            moments += recovered(&found)?;
        }
        if let Some(step) = steps.get(at) {
            let stayed_old = !world.committed;
            world.perform(step)?;
            if stayed_old && !world.committed && world.kernel.live == Some(NEW) && begin.kernel.live.is_some()
            {
                return Err(format!("{step} without the supervisor's word"));
            }
        }
    }
    world.check().map(|()| moments)
}

fn recovered(found: &World) -> Result<usize, String> {
    let steps = found.recovery();
    let mut world = found.clone();
    for at in 0..=steps.len() {
        let again = steps.get(at).map(|step| world.clone().half_done(step));
        for found in again.into_iter().chain([world.clone()]) {
            let mut last = found;
            for step in last.recovery() {
                last.perform(&step)?;
            }
            last.check()?;
            if !last.recovery().is_empty() {
                return Err(format!("it is not over: {:?}", last.recovery()));
            }
        }
        if let Some(step) = steps.get(at) {
            world.perform(step)?;
        }
    }
    world.check().map(|()| steps.len() + 1)
}

fn change() -> Change {
    let wanted = Wanted { object: [2; 32], sizes: TableSizes::default() };
    Change { from: OLD, to: NEW, wanted, stage: Stage::Making }
}

fn upgrade() -> Vec<Step> {
    [plan::trying(&change(), &Hook::ALL), plan::committing(&change())].concat()
}

#[test]
fn a_first_start_survives_every_interruption() {
    let moments = survive(&World::bare(), &plan::first(1, &[])).unwrap();
    assert!(moments > 500, "{moments}");
}

#[test]
fn a_change_survives_every_interruption() {
    let moments = survive(&World::with_a_generation(), &upgrade()).unwrap();
    assert!(moments > 300, "{moments}");
}

#[test]
fn a_change_that_is_rolled_back_survives_every_interruption() {
    let steps = [
        plan::trying(&change(), &Hook::ALL),
        plan::rolling_back(&change(), &Hook::ALL, "connections failed"),
    ];
    let moments = survive(&World::with_a_generation(), &steps.concat()).unwrap();
    assert!(moments > 300, "{moments}");
}

#[test]
fn a_change_is_held_after_three_tries() {
    let mut world = World::with_a_generation();
    for count in 1..=Journal::TRIES {
        assert_eq!(world.journal.holds(&change().wanted), None);
        for step in &plan::trying(&change(), &Hook::ALL)[..20] {
            world.perform(step).unwrap();
        }
        for step in world.recovery() {
            world.perform(&step).unwrap();
        }
        assert_eq!(world.journal.failures.as_ref().unwrap().count, count);
    }
    let failures = world.journal.holds(&change().wanted).unwrap();
    assert_eq!(failures.reason, "its agent ended (while it was being made)");
    let other = Wanted { object: [3; 32], ..change().wanted };
    assert_eq!(world.journal.holds(&other), None);
}

#[test]
fn a_change_that_succeeds_forgets_the_failures_before() {
    let failed =
        Journal::default().after(&Entry::Begin(change())).after(&Entry::Undone { reason: "x".into() });
    assert!(failed.failures.is_some());
    assert_eq!(failed.after(&Entry::Begin(change())).after(&Entry::Done), Journal::default());
}

/// What a careless planner would do.
#[test]
fn steps_in_a_wrong_order_are_noticed() {
    let swapped = |mut steps: Vec<Step>, of: &dyn Fn(&Step) -> bool, before: &dyn Fn(&Step) -> bool| {
        let moved = steps.remove(steps.iter().position(of).unwrap());
        steps.insert(steps.iter().position(before).unwrap(), moved);
        steps
    };
    let is_word = |step: &Step| *step == Step::Record(Entry::Reached(Stage::Committed));
    let is_live = |step: &Step| matches!(step, Step::MakeLive { .. });
    let is_switch = |step: &Step| matches!(step, Step::Switch { .. });
    let is_remove = |step: &Step| matches!(step, Step::Remove { .. });
    let is_finish = |step: &Step| matches!(step, Step::Finish { .. });
    let is_begin = |step: &Step| matches!(step, Step::Record(Entry::Begin(_)));
    let is_undone = |step: &Step| matches!(step, Step::Record(Entry::Undone { .. }));
    let world = World::with_a_generation();

    let live_before_the_word = swapped(upgrade(), &is_live, &is_word);
    survive(&world, &live_before_the_word).unwrap_err();
    let removed_too_early = swapped(upgrade(), &is_remove, &is_live);
    survive(&world, &removed_too_early).unwrap_err();
    let switched_before_it_is_complete = swapped(upgrade(), &is_switch, &is_finish);
    survive(&world, &switched_before_it_is_complete).unwrap_err();
    let never_begun: Vec<_> = upgrade().into_iter().filter(|step| !is_begin(step)).collect();
    survive(&world, &never_begun).unwrap_err();
    let back = [plan::trying(&change(), &Hook::ALL), plan::rolling_back(&change(), &Hook::ALL, "x")].concat();
    let removed_under_traffic = swapped(back.clone(), &is_remove, &is_switch);
    survive(&world, &removed_under_traffic).unwrap_err();
    let one_link_forgotten: Vec<_> = {
        let last = back.iter().rposition(is_switch).unwrap();
        back.iter().enumerate().filter(|(at, _)| *at != last).map(|(_, step)| step.clone()).collect()
    };
    survive(&world, &one_link_forgotten).unwrap_err();
    let never_undone: Vec<_> = back.into_iter().filter(|step| !is_undone(step)).collect();
    survive(&world, &never_undone).unwrap_err();
}
