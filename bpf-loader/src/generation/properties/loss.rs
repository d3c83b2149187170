//! A change that brings frozen maps without what stands in them.

use std::collections::BTreeSet;

use super::*;
use crate::tally::{Counts, Tally};

/// A frozen map whose loss is declared: what stands in the one in use, and what is told of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// There is a new version.
    carried: bool,
    entries: u64,
    tally: Tally,
    /// Programs that may still run although no link attaches them.
    running: BTreeSet<Programs>,
    /// Nothing says any more that it was declared.
    unsaid: bool,
}

const NAME: &str = "lost";

impl Loss {
    pub fn renew(&mut self) {
        self.carried = true;
    }

    pub fn forget(&mut self) {
        self.carried = false;
    }

    pub fn left(&mut self, from: Programs) {
        self.running.insert(from);
    }

    pub fn barrier(&mut self) {
        self.running.clear();
    }

    pub fn count(&mut self) {
        self.tally.add(&Counts { map: 1, counts: vec![(NAME.into(), self.entries)] });
    }

    /// Whoever uses the old version adds an entry.
    pub fn run(&mut self, links: &Links) {
        let runs: BTreeSet<_> = links.values().chain(&self.running).copied().collect();
        let old = runs.into_iter().filter(|programs| self.version_used(*programs) == Version::Old);
        self.entries += old.count() as u64;
    }

    pub fn version_used(&self, programs: Programs) -> Version {
        match programs {
            Programs::Of(NEW) if self.carried => Version::New,
            _ => Version::Old,
        }
    }

    /// All of it, if the new version took its place; else nothing.
    pub fn is_told_once(&self, in_use: Version) -> bool {
        let told = self.tally.with(&[]).get(NAME).copied();
        match in_use {
            Version::Old => told.is_none(),
            Version::New => told == Some(self.entries) || (self.unsaid && told.is_none()),
        }
    }
}

/// What is lost, and what comes besides.
pub const KINDS: [(&[Table], &[Table]); 3] = [
    (&Table::CARRIED, &Table::CARRIED),
    (&[Table::UdpOrigins], &[Table::UdpOrigins]),
    (&Table::CARRIED, &[Table::Origins, Table::UdpOrigins, Table::Enrolled]),
];

pub fn world(lost: &[Table]) -> World {
    let mut world = World::with_a_generation();
    world.contents.retain(|table, _| !lost.contains(table));
    world.losses = lost.iter().map(|&table| (table, Loss::default())).collect();
    world
}

pub fn losing(lost: &[Table]) -> Change {
    Change { lost: lost.to_vec(), ..change() }
}

fn trying(lost: &[Table], carried: &[Table]) -> Vec<Step> {
    plan::trying(&losing(lost), &on(Programs::Of(OLD)), carried)
}

fn lost(lost: &[Table], carried: &[Table]) -> Vec<Step> {
    let committing = plan::committing(&losing(lost), &on(Programs::Of(NEW)), carried);
    [trying(lost, carried), committing].concat()
}

fn back(lost: &[Table], carried: &[Table]) -> Vec<Step> {
    let back = plan::rolling_back(&losing(lost), &on(Programs::Of(NEW)), carried, "connections failed");
    [trying(lost, carried), back].concat()
}

#[test]
fn a_loss_survives_every_interruption_and_is_told_once() {
    for (gone, carried) in KINDS {
        let moments = survive(&world(gone), &lost(gone, carried)).unwrap();
        assert!(moments > 300, "{moments}");
    }
}

#[test]
fn a_loss_that_is_rolled_back_survives_every_interruption_and_is_none() {
    for (gone, carried) in KINDS {
        let moments = survive(&world(gone), &back(gone, carried)).unwrap();
        assert!(moments > 300, "{moments}");
    }
}

/// Then nothing says how much it was; all else is as it should be.
#[test]
fn a_loss_survives_that_of_its_journal() {
    for (gone, carried) in KINDS {
        for steps in [lost(gone, carried), back(gone, carried)] {
            let mut world = world(gone);
            for step in &steps {
                world.perform(step).unwrap();
                let mut lost = World { journal: Journal::default(), ..world.clone() };
                lost.committed &= world.kernel.live == Some(NEW);
                lost.losses.values_mut().for_each(|loss| loss.unsaid = true);
                for step in lost.recovery() {
                    lost.perform(&step).unwrap();
                }
                lost.check().unwrap();
            }
        }
    }
}

/// What a careless planner would do.
#[test]
fn a_loss_in_a_wrong_order_is_noticed() {
    type Is = dyn Fn(&Step) -> bool;
    let count = |step: &Step| matches!(step, Step::CountLost { .. });
    let switch = |step: &Step| matches!(step, Step::Switch { .. });
    let barrier = |step: &Step| *step == Step::Barrier;
    let word = |step: &Step| *step == Step::Record(Entry::Reached(Stage::Committed));
    let replace = |step: &Step| matches!(step, Step::Replace { .. });
    let remove = |step: &Step| matches!(step, Step::Remove { .. });
    let gone = &Table::CARRIED;
    let moved: [(&str, &Is, &Is); 4] = [
        ("it is counted while programs write it", &count, &switch),
        ("it is counted while programs may still run", &count, &barrier),
        ("it is counted before it is certain", &count, &word),
        ("another one takes its place under the generation before", &replace, &remove),
    ];
    for (what, of, before) in moved {
        survive(&world(gone), &swapped(lost(gone, gone), of, before)).expect_err(what);
    }
    let left_out: [(&str, &Is); 3] = [
        ("it is not told", &count),
        ("another one never takes its place", &replace),
        ("no barrier", &barrier),
    ];
    for (what, of) in left_out {
        let steps: Vec<_> = lost(gone, gone).into_iter().filter(|step| !of(step)).collect();
        survive(&world(gone), &steps).expect_err(what);
    }
    let swept = plan::trying(&change(), &on(Programs::Of(OLD)), gone);
    survive(&world(gone), &swept).expect_err("it is carried over all the same");
}
