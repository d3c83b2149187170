//! Slots that change hands where it does not matter which ones. Pure.

/// How many slots an endpoint is to have.
pub(super) type Target = (u32, u32);

/// A position, and the id that it is to have.
pub(super) type Move = (usize, u32);

/// What leads a service's slots to the targets, in place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Positions and ids, in order. What they say beyond the last slot counts when the number of slots says that it is there,
    /// and so does what is left away.
    pub stores: Vec<Move>,
    /// Whether whoever goes does so by the one store by which whoever comes does, if anybody does.
    pub at_once: bool,
}

/// Gives so many slots to each of those that may `stand` in some, and of those that are `new`; others keep theirs. Changes `slots`.
pub(super) fn exchange(slots: &mut Vec<u32>, mut standing: Vec<Target>, new: &[Target]) -> Exchange {
    standing.sort_unstable();
    let Vacated { of_leavers, others, found } = Vacated::of(slots, &standing);
    let [comers, growing] = fill(&standing, &found, new);
    let (leaving, coming) =
        (distinct(of_leavers.iter().map(|at| slots[*at])), distinct(comers.iter().copied()));
    let mut exchange = Exchange { stores: Vec::new(), at_once: leaving <= 1 && coming <= 1 };
    if leaving == 1 && coming == 1 {
        match stand_in(slots, &of_leavers) {
            Some(stores) => stores.into_iter().for_each(|(at, id)| exchange.store(slots, at, id)),
            None => exchange.at_once = false,
        }
    }
    let vacated = [of_leavers, others].concat();
    let wanted = [comers, growing].concat();
    let (now, later) = wanted.split_at(wanted.len().min(vacated.len()));
    vacated.iter().zip(now).for_each(|(&at, &id)| exchange.store(slots, at, id));
    let moved = exchange.close(slots, vacated[now.len()..].to_vec());
    for &id in later {
        exchange.stores.push((slots.len(), id));
        slots.push(id);
    }
    exchange.at_once |= vacated.is_empty() || (wanted.is_empty() && !moved);
    exchange
}

struct Vacated {
    /// Positions of whoever is to have no slot.
    of_leavers: Vec<usize>,
    /// Positions of whoever is to have fewer slots.
    others: Vec<usize>,
    /// How many each of them keeps.
    found: Vec<u32>,
}

impl Vacated {
    fn of(slots: &[u32], targets: &[Target]) -> Self {
        let mut vacated = Self { of_leavers: Vec::new(), others: Vec::new(), found: vec![0; targets.len()] };
        for (at, which) in of_targets(slots, targets) {
            match (targets[which].1, &mut vacated.found[which]) {
                (0, _) => vacated.of_leavers.push(at),
                (target, found) if *found == target => vacated.others.push(at),
                (_, found) => *found += 1,
            }
        }
        vacated
    }
}

/// The positions of targets, which are in the order of their ids: each with the place of its target among them. Slots are many and targets
/// are few, so most are told by a glance.
pub(super) fn of_targets(slots: &[u32], targets: &[Target]) -> impl Iterator<Item = (usize, usize)> {
    const GLANCES: usize = 4096;
    let mut maybe = [false; GLANCES];
    targets.iter().for_each(|(id, _)| maybe[*id as usize % GLANCES] = true);
    let at_a_glance = slots.iter().enumerate().filter(move |(_, id)| maybe[**id as usize % GLANCES]);
    at_a_glance.filter_map(|(at, id)| Some((at, targets.binary_search_by_key(id, |target| target.0).ok()?)))
}

/// Somebody who stays takes all but one of the slots of the one that leaves, until they are given away. `None`: nobody stays.
pub(super) fn stand_in(slots: &[u32], of_leaver: &[usize]) -> Option<Vec<Move>> {
    let [one, more @ ..] = of_leaver else { return Some(Vec::new()) };
    let stays = slots.iter().copied().find(|id| id != &slots[*one]);
    more.iter().map(|&at| Some((at, stays?))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most u32::MAX slots")]
pub(super) fn count(slots: usize) -> u32 {
    slots as u32
}

/// The ids that are to be stored: of those that have no slot yet, and of those that have too few.
fn fill(standing: &[Target], found: &[u32], new: &[Target]) -> [Vec<u32>; 2] {
    let mut fill = [Vec::new(), Vec::new()];
    let found = found.iter().copied().chain(std::iter::repeat(0));
    for (&(id, target), found) in standing.iter().chain(new).zip(found) {
        let more = target.saturating_sub(found) as usize;
        fill[usize::from(found > 0)].extend(std::iter::repeat_n(id, more));
    }
    fill
}

/// Of ids of which equal ones stand together, or there is one only: 0, 1, or more.
fn distinct(mut ids: impl Iterator<Item = u32>) -> usize {
    let Some(first) = ids.next() else { return 0 };
    1 + usize::from(ids.any(|id| id != first))
}

impl Exchange {
    fn store(&mut self, slots: &mut [u32], at: usize, id: u32) {
        slots[at] = id;
        self.stores.push((at, id));
    }

    /// Puts the last ones into what is left vacated before them; whether there are any.
    fn close(&mut self, slots: &mut Vec<u32>, mut vacated: Vec<usize>) -> bool {
        vacated.sort_unstable();
        let keep = slots.len() - vacated.len();
        let (holes, beyond) = vacated.split_at(vacated.partition_point(|at| *at < keep));
        let last: Vec<usize> = (keep..slots.len()).filter(|at| beyond.binary_search(at).is_err()).collect();
        for (&hole, at) in holes.iter().zip(last) {
            let id = slots[at];
            self.store(slots, hole, id);
        }
        slots.truncate(keep);
        !holes.is_empty()
    }
}

/// Whether whom each of these sets has is whom the slots have before, or after.
#[cfg(test)]
pub(super) fn is_old_or_new(
    reached: &[std::collections::BTreeSet<u32>],
    before: &[u32],
    after: &[u32],
) -> bool {
    let [from, to] = [before, after].map(|slots| slots.iter().copied().collect());
    reached.iter().all(|set| *set == from || *set == to)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn counts(slots: &[u32]) -> BTreeMap<u32, u32> {
        let mut counts = BTreeMap::new();
        slots.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
        counts
    }

    /// Everyone who can be reached after each store, and after the number of slots was stored.
    fn reached(before: &[u32], exchange: &Exchange, after: &[u32]) -> Vec<BTreeSet<u32>> {
        let mut table = before.to_vec();
        table.resize(before.len().max(after.len()), 0);
        let mut reached = Vec::new();
        for &(at, id) in &exchange.stores {
            table[at] = id;
            reached.push(table[..before.len()].iter().copied().collect());
        }
        assert_eq!(&table[..after.len()], after);
        reached.push(after.iter().copied().collect());
        reached
    }

    fn at_once(before: &[u32], standing: &[Target], new: &[Target]) -> (bool, usize) {
        let mut after = before.to_vec();
        let exchange = exchange(&mut after, standing.to_vec(), new);
        (exchange.at_once, exchange.stores.len())
    }

    #[test]
    fn single_changes_are_few_stores() {
        let before = [1, 2, 2, 3, 4];
        assert_eq!(at_once(&before, &[], &[(5, 1)]), (true, 1));
        assert_eq!(at_once(&before, &[(1, 0)], &[(5, 1)]), (true, 1));
        assert_eq!(at_once(&before, &[(1, 0)], &[]), (true, 1));
        assert_eq!(at_once(&before, &[(3, 0), (4, 0)], &[]), (true, 0));
        assert_eq!(at_once(&before, &[(1, 3)], &[]), (true, 2));
        assert_eq!(at_once(&before, &[(2, 0)], &[(5, 2)]), (true, 3));
        assert!(!at_once(&before, &[(1, 0), (2, 0)], &[]).0);
        assert!(!at_once(&before, &[(1, 0), (2, 0)], &[(5, 1)]).0);
    }

    proptest! {
        #[test]
        fn the_targets_are_met_and_what_is_at_once_is(
            before in vec(1u32..9, 0..20),
            standing in prop::collection::btree_map(1u32..12, 0u32..4, 0..4),
            new in vec(1u32..4, 0..2),
        ) {
            let standing: Vec<Target> = standing.into_iter().collect();
            let new: Vec<Target> = (20..).zip(new).collect();
            let mut after = before.clone();
            let exchange = exchange(&mut after, standing.clone(), &new);
            let mut wanted = counts(&before);
            wanted.extend(standing.iter().chain(&new).copied());
            wanted.retain(|_, target| *target > 0);
            prop_assert_eq!(counts(&after), wanted);
            let reached = reached(&before, &exchange, &after);
            prop_assert!(!exchange.at_once || is_old_or_new(&reached, &before, &after), "{reached:?}");
        }
    }
}
