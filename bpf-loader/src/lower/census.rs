use std::collections::BTreeMap;

use evermesh_model::{Balancing, Health, Mode, Place, Workload};

/// All of a candidate that decides whether it is taken, and how often: candidates of one class are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    /// Its place among those that the split names; their number: it is not named.
    pub revision: u32,
    /// How many scopes it shares with this node, as far as scopes decide anything.
    pub rank: u32,
    /// It takes no new flows, whoever else is there.
    pub draining: bool,
    pub healthy: bool,
    pub capacity: u32,
}

impl Class {
    pub fn of(balancing: &Balancing, place: &Place, workload: &Workload) -> Self {
        let shared = || balancing.scopes.iter().take_while(|scope| place.shares(**scope, workload)).count();
        let split = &balancing.split;
        let named = split.iter().position(|(revision, _)| *revision == workload.revision);
        let rank = if balancing.mode == Mode::Standard { 0 } else { shared() };
        Self {
            revision: number(named.unwrap_or(split.len())),
            rank: number(rank),
            draining: drains(workload),
            healthy: workload.health == Health::Healthy,
            capacity: workload.capacity,
        }
    }
}

/// Whether it takes no new flows, whoever else is there.
pub(super) fn drains(workload: &Workload) -> bool {
    workload.health == Health::Draining || workload.capacity == 0
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a list that somebody wrote")]
fn number(at: usize) -> u32 {
    at as u32
}

/// How many candidates of each class a service port has, in the order of the classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census(Box<[(Class, u32)]>);

impl Census {
    pub(super) fn iter(&self) -> impl Iterator<Item = (Class, u32)> {
        self.0.iter().copied()
    }

    pub(super) fn count(&self, class: &Class) -> u32 {
        self.0.binary_search_by_key(class, |(class, _)| *class).map_or(0, |at| self.0[at].1)
    }

    pub(super) fn classes(&self) -> usize {
        self.0.len()
    }

    /// Without those of some classes, which were counted, and with others.
    pub(super) fn with(
        &self,
        without: impl Iterator<Item = Class>,
        with: impl Iterator<Item = Class>,
    ) -> Self {
        let mut counts: BTreeMap<Class, u32> = self.iter().collect();
        with.for_each(|class| *counts.entry(class).or_default() += 1);
        for class in without {
            counts.entry(class).and_modify(|count| *count = count.saturating_sub(1));
        }
        Self(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

impl FromIterator<Class> for Census {
    /// Neighbours are often alike.
    fn from_iter<I: IntoIterator<Item = Class>>(classes: I) -> Self {
        let (mut counts, mut classes) = (BTreeMap::new(), classes.into_iter().peekable());
        while let Some(class) = classes.next() {
            let mut run = 1;
            while classes.next_if_eq(&class).is_some() {
                run += 1;
            }
            *counts.entry(class).or_default() += run;
        }
        Self(counts.into_iter().collect())
    }
}
