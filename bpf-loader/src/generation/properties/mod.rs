//! Every list of steps, interrupted before and after each of them, and its recovery interrupted in turn.

mod counting;
mod disk;
mod left;
mod loss;
mod maps;
mod migration;
mod pods;

use std::collections::BTreeMap;

use evermesh_pins::{BridgeEnd, Hook, Table};

use super::{plan::Links, *};
use crate::TableSizes;
use counting::Counting;
use disk::Disk;
use loss::Loss;
use maps::{Contents, Version};
use pods::Pods;

/// What it brought is in use; any other one may bring maps anew.
const OLD: u32 = 4;
const NEW: u32 = 5;

/// What outlasts the agent: the kernel's objects and the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
struct World {
    journal: Journal,
    /// Where the journal is kept.
    disk: Disk,
    kernel: Observed,
    /// The supervisor's word was written down.
    committed: bool,
    /// Which version of each frozen map is pinned for all.
    frozen: BTreeMap<Table, Version>,
    /// What stands in them.
    contents: BTreeMap<Table, Contents>,
    /// What is lost with those whose loss is declared.
    losses: BTreeMap<Table, Loss>,
    /// What stands in `enrolled`.
    pods: Pods,
    /// What programs count.
    counting: Counting,
    /// Frozen maps of another layout that a removal has left.
    left: Vec<Table>,
}

impl World {
    fn with_a_generation() -> Self {
        let kernel = Observed {
            live: Some(OLD),
            generations: BTreeMap::from([(OLD, Some([1; 32]))]),
            links: on(Programs::Of(OLD)),
            ..Observed::default()
        };
        let mut counting = Counting::default();
        counting.make(OLD);
        Self { kernel, counting, ..Self::bare() }
    }

    fn bare() -> Self {
        Self {
            journal: Journal::default(),
            disk: Disk::default(),
            kernel: Observed::default(),
            committed: false,
            frozen: Table::BROUGHT.map(|table| (table, Version::Old)).into(),
            contents: Table::CARRIED.map(|table| (table, Contents::default())).into(),
            losses: BTreeMap::new(),
            pods: Pods::default(),
            counting: Counting::default(),
            left: Vec::new(),
        }
    }

    /// Does a step as the kernel would, or says why it would refuse, or what traffic would suffer.
    fn perform(&mut self, step: &Step) -> Result<(), String> {
        let kernel = &mut self.kernel;
        let finished = |generation: &u32| kernel.generations.get(generation).is_some_and(Option::is_some);
        let attached = |programs: Programs| kernel.links.values().any(|at| *at == programs);
        match step {
            Step::Record(entry) => {
                let is_written = self.disk.write(&mut self.journal, entry)?;
                self.committed |= is_written && *entry == Entry::Reached(Stage::Committed);
            }
            Step::MakeRoom { generation } => drop(kernel.generations.entry(*generation).or_insert(None)),
            Step::Finish { generation } => drop(kernel.generations.insert(*generation, Some([2; 32]))),
            Step::Attach { hook, generation } if finished(generation) && !kernel.links.contains_key(hook) => {
                kernel.links.insert(*hook, Programs::Of(*generation));
            }
            Step::Switch { hook, from, to } if kernel.stand(*to) && kernel.links.get(hook) == Some(from) => {
                kernel.links.insert(*hook, *to);
                self.contents.values_mut().for_each(|contents| contents.left(*hook, *from));
                self.losses.values_mut().for_each(|loss| loss.left(*from));
                self.counting.left(*from);
            }
            Step::PinCarried { generation, table } => {
                kernel.carried.entry(*generation).or_default().push(*table);
                match table {
                    Table::Enrolled => self.pods.renew(),
                    table if self.losses.contains_key(table) => {
                        self.losses.entry(*table).or_default().renew()
                    }
                    _ => self.contents.get_mut(table).ok_or("no such map")?.renew(),
                }
            }
            Step::PinProgram { of: Programs::Bridge(generation, _), .. } => {
                kernel.bridges.insert(*generation);
            }
            Step::MakeBridge { generation, .. } if kernel.carried.contains_key(generation) => {}
            Step::Suspend => kernel.suspended = true,
            Step::Resume => kernel.suspended = false,
            Step::Sweep { table: Table::Enrolled, .. } => self.pods.copy(),
            Step::Barrier => {
                self.contents.values_mut().for_each(Contents::barrier);
                self.losses.values_mut().for_each(Loss::barrier);
                self.counting.barrier();
            }
            Step::MakeMaps { generation, .. } => self.counting.make(*generation),
            Step::BeginTally => self.counting.begin(),
            Step::Count { generation } if finished(generation) => self.counting.add(*generation),
            Step::Sweep { table, .. } => self.contents.get_mut(table).ok_or("no such map")?.sweep(),
            Step::CountLost { table } => self.losses.get_mut(table).ok_or("it is not lost")?.count(),
            Step::Replace { generation, table } if kernel.has_carried(*generation, *table) => {
                kernel.take_carried(*generation, *table);
                self.frozen.insert(*table, Version::New);
            }
            Step::RemoveBridge { generation }
                if !BridgeEnd::ALL.iter().any(|end| attached(Programs::Bridge(*generation, *end))) =>
            {
                kernel.bridges.remove(generation);
            }
            Step::MakeLive { generation } if finished(generation) => kernel.live = Some(*generation),
            Step::Remove { generation }
                if !(kernel.live == Some(*generation) && finished(generation))
                    && kernel.links.values().all(|at| at.generation() != *generation) =>
            {
                kernel.generations.remove(generation);
                self.counting.remove(*generation);
                kernel.carried.remove(generation);
                kernel.bridges.remove(generation);
                if *generation != OLD {
                    let in_use = |table| self.frozen[table] == Version::Old;
                    let contents = self.contents.iter_mut().filter(|(table, _)| in_use(table));
                    contents.for_each(|(_, contents)| contents.forget());
                    self.losses.values_mut().for_each(Loss::forget);
                    if in_use(&Table::Enrolled) {
                        self.pods.forget();
                    }
                }
            }
            Step::Attach { .. }
            | Step::Switch { .. }
            | Step::MakeLive { .. }
            | Step::Remove { .. }
            | Step::Replace { .. }
            | Step::MakeBridge { .. }
            | Step::RemoveBridge { .. } => {
                return Err(format!("{step} is wrong in {self:?}"));
            }
            _ => {}
        }
        self.verify()?;
        self.run()
    }

    /// Traffic goes on, after each step.
    fn run(&mut self) -> Result<(), String> {
        let links = &self.kernel.links;
        self.counting.run(links);
        self.counting
            .check(|generation| self.kernel.generations.get(&generation).is_some_and(Option::is_some))?;
        self.pods.run(links, self.frozen[&Table::Enrolled], self.kernel.suspended)?;
        self.losses.values_mut().for_each(|loss| loss.run(links));
        let mut contents = self.contents.iter_mut();
        contents.try_for_each(|(table, it)| it.run(links).map_err(|why| format!("{table}: {why}")))
    }

    /// What the next start checks before anything else: each map that a finished generation's programs use has a pin.
    fn verify(&self) -> Result<(), String> {
        let finished = self.kernel.generations.iter().filter(|(_, object)| object.is_some());
        let sets = finished.flat_map(|(&number, _)| {
            let bridge = BridgeEnd::ALL.map(|end| Programs::Bridge(number, end));
            [Programs::Of(number)].into_iter().chain(bridge)
        });
        let standing: Vec<_> = sets.filter(|programs| self.kernel.stand(*programs)).collect();
        if let Some(at) = self.kernel.links.values().find(|at| !standing.contains(at)) {
            return Err(format!("links attach {at}, of which no pin is left"));
        }
        standing.into_iter().try_for_each(|programs| self.verify_maps(programs))
    }

    fn verify_maps(&self, programs: Programs) -> Result<(), String> {
        let pinned = |table: Table, version| {
            let carried = self.kernel.carried.values().any(|carried| carried.contains(&table));
            self.frozen[&table] == version || (version == Version::New && carried)
        };
        let bridges = matches!(programs, Programs::Bridge(..));
        let used = |(&table, it): (&Table, &Contents)| {
            pinned(table, it.version_read(programs))
                && (!bridges || (pinned(table, Version::Old) && pinned(table, Version::New)))
        };
        let new_one = |(&table, it): (&Table, &Loss)| pinned(table, it.version_used(programs));
        match self.contents.iter().all(used)
            && self.losses.iter().all(new_one)
            && pinned(Table::Enrolled, self.pods.read_by(programs))
        {
            true => Ok(()),
            false => Err(format!("{programs} uses a map that has no pin")),
        }
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
            Recovery::Fresh { number, remove, suspended } => {
                let left = self.left.iter().filter(|table| self.frozen[table] == Version::Old);
                plan::first(number, &remove, suspended, &left.copied().collect::<Vec<_>>())
            }
            Recovery::Adopt(adoption) => adoption.steps,
        }
    }

    /// One generation, live, with every hook; the new one only if that was committed; and nothing pending.
    fn check(&self) -> Result<(), String> {
        let live = self.kernel.live.ok_or("nothing is live")?;
        let alone = self.kernel.generations.keys().eq([&live]);
        let hooked = Hook::ALL.iter().all(|hook| self.kernel.links.get(hook) == Some(&Programs::Of(live)));
        let as_told = live == NEW || !self.committed;
        let not_untold = live != NEW || self.committed || !self.kernel.generations.contains_key(&OLD);
        let in_place = self.contents.iter().all(|(table, it)| {
            let version = it.version_read(Programs::Of(live));
            self.frozen[table] == version && !it.is_stale(version)
        });
        let told = self.losses.iter().all(|(table, it)| {
            let version = it.version_used(Programs::Of(live));
            self.frozen[table] == version && it.is_told_once(version)
        });
        let nothing_left = self.kernel.carried.is_empty() && self.kernel.bridges.is_empty();
        let pods = self.pods.read_by(Programs::Of(live)) == self.frozen[&Table::Enrolled];
        match in_place
            && told
            && pods
            && !self.kernel.suspended
            && nothing_left
            && alone
            && hooked
            && as_told
            && not_untold
            && self.disk.known(&self.journal).change.is_none()
        {
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
    let stood = begin.kernel.live.is_some_and(|live| begin.kernel.stand(Programs::Of(live)));
    for at in 0..=steps.len() {
        let interrupted = steps.get(at).map(|step| world.clone().half_done(step));
        for found in interrupted.into_iter().chain([world.clone()]) {
            moments += recovered(&found.ended())?;
        }
        if let Some(step) = steps.get(at) {
            let stayed_old = !world.committed;
            world.perform(step)?;
            if stayed_old && !world.committed && world.kernel.live == Some(NEW) && stood {
                return Err(format!("{step} without the supervisor's word"));
            }
        }
    }
    world.check().map(|()| moments)
}

fn recovered(found: &World) -> Result<usize, String> {
    let undecided =
        !found.committed && found.kernel.live == Some(OLD) && found.kernel.stand(Programs::Of(OLD));
    let steps = found.recovery();
    let mut world = found.clone();
    for at in 0..=steps.len() {
        let again = steps.get(at).map(|step| world.clone().half_done(step));
        for found in again.into_iter().chain([world.clone()]) {
            let mut last = found.ended();
            for step in last.recovery() {
                last.perform(&step)?;
            }
            last.check()?;
            if undecided && last.kernel.live == Some(NEW) {
                return Err("a start goes on without the supervisor's word".into());
            }
            if !last.recovery().iter().all(|step| last.disk.excuses(step)) {
                return Err(format!("it is not over: {:?}", last.recovery()));
            }
        }
        if let Some(step) = steps.get(at) {
            world.perform(step)?;
        }
    }
    world.check().map(|()| steps.len() + 1)
}

impl Observed {
    fn stand(&self, programs: Programs) -> bool {
        let finished = self.generations.get(&programs.generation()).is_some_and(Option::is_some);
        finished && (matches!(programs, Programs::Of(_)) || self.bridges.contains(&programs.generation()))
    }

    fn has_carried(&self, generation: u32, table: Table) -> bool {
        self.carried.get(&generation).is_some_and(|carried| carried.contains(&table))
    }

    fn take_carried(&mut self, generation: u32, table: Table) {
        if let Some(carried) = self.carried.get_mut(&generation) {
            carried.retain(|other| *other != table);
        }
        self.carried.retain(|_, carried| !carried.is_empty());
    }
}

fn on(programs: Programs) -> Links {
    Hook::ALL.map(|hook| (hook, programs)).into()
}

fn change() -> Change {
    let wanted = Wanted { object: [2; 32], sizes: TableSizes::default() };
    Change { from: OLD, to: NEW, wanted, stage: Stage::Making, lost: Vec::new() }
}

fn upgrade() -> Vec<Step> {
    [
        plan::trying(&change(), &on(Programs::Of(OLD)), &[]),
        plan::committing(&change(), &on(Programs::Of(NEW)), &[]),
    ]
    .concat()
}

fn rolled_back() -> Vec<Step> {
    let trying = plan::trying(&change(), &on(Programs::Of(OLD)), &[]);
    [trying, plan::rolling_back(&change(), &on(Programs::Of(NEW)), &[], "connections failed")].concat()
}

#[test]
fn a_first_start_survives_every_interruption() {
    let moments = survive(&World::bare(), &plan::first(1, &[], false, &[])).unwrap();
    assert!(moments > 500, "{moments}");
}

#[test]
fn a_change_survives_every_interruption() {
    let moments = survive(&World::with_a_generation(), &upgrade()).unwrap();
    assert!(moments > 300, "{moments}");
}

#[test]
fn a_change_that_is_rolled_back_survives_every_interruption() {
    let moments = survive(&World::with_a_generation(), &rolled_back()).unwrap();
    assert!(moments > 300, "{moments}");
}

#[test]
fn a_change_is_held_after_three_tries() {
    let mut world = World::with_a_generation();
    for count in 1..=Journal::TRIES {
        assert_eq!(world.journal.holds(&change().wanted), None);
        for step in &plan::trying(&change(), &on(Programs::Of(OLD)), &[])[..20] {
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

/// The first of these steps moved before the first of those.
fn swapped(mut steps: Vec<Step>, of: &dyn Fn(&Step) -> bool, before: &dyn Fn(&Step) -> bool) -> Vec<Step> {
    let moved = steps.remove(steps.iter().position(of).unwrap());
    steps.insert(steps.iter().position(before).unwrap(), moved);
    steps
}

/// What a careless planner would do.
#[test]
fn steps_in_a_wrong_order_are_noticed() {
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
    let back = rolled_back();
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
