//! Slots that are taken in turn, of which some endpoints have more than others. Pure.
//!
//! Copy `k` of an endpoint's `n` slots belongs at the part (2k + 1) / 2n of a round, its beat, so that its turns lie evenly apart. Copies of
//! the same beat make a run, in which any order will do: when a few endpoints change, a few slots at the ends of runs do.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Range,
};

use super::exchange::{Move, Target, count, of_targets, stand_in};
use crate::lower::Turns;

/// A part of a round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    part: u32,
    whole: u32,
}

impl Ord for Beat {
    fn cmp(&self, other: &Self) -> Ordering {
        let crossed = |one: &Self, other: &Self| u64::from(one.part) * u64::from(other.whole);
        crossed(self, other).cmp(&crossed(other, self))
    }
}

impl PartialEq for Beat {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Beat {}

impl PartialOrd for Beat {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Of the slots of an endpoint that has so many, in order.
pub(super) fn beats(slots: u32) -> impl Iterator<Item = Beat> {
    (0..slots).map(move |copy| Beat { part: 2 * copy + 1, whole: 2 * slots })
}

/// Which slots each run takes.
pub(super) fn runs(turns: &Turns) -> BTreeMap<Beat, Range<usize>> {
    let mut lengths = BTreeMap::new();
    for (slots, endpoints) in turns.iter() {
        beats(slots).for_each(|beat| *lengths.entry(beat).or_default() += endpoints as usize);
    }
    let mut end = 0;
    let range = |(beat, length): (Beat, usize)| {
        end += length;
        (beat, end - length..end)
    };
    lengths.into_iter().map(range).collect()
}

/// What leads a service's slots to the targets, in place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rearranged {
    /// Positions and ids beyond the last slot, which count when the number of slots says that they are there.
    pub beyond: Vec<Move>,
    /// Others, in order, after the number of slots was stored if it is larger, before it is if it is smaller. `None`: in no order
    /// is nobody reached but those from before, or those from after.
    pub stores: Option<Vec<Move>>,
}

/// Gives so many slots to each of those that may `stand` in some, and of those that are `new`; others keep theirs, of which there are so
/// many as `turns` say, with all that stand. Changes `slots`.
pub(super) fn rearrange(
    slots: &mut Vec<u32>,
    turns: &Turns,
    mut standing: Vec<Target>,
    new: &[Target],
) -> Rearranged {
    standing.sort_unstable();
    let mut found = vec![Vec::new(); standing.len()];
    of_targets(slots, &standing).for_each(|(at, which)| found[which].push(at));
    let (mut changes, mut after) = (Changes::default(), turns.clone());
    for (&(id, to), at) in standing.iter().zip(&found) {
        changes.add(&mut after, id, at, to);
    }
    new.iter().for_each(|&(id, to)| changes.add(&mut after, id, &[], to));
    let moves = changes.moves(slots, [&runs(turns), &runs(&after)]);
    let rearranged = Order { slots, changes: &changes, moves: &moves }.find();
    let length = after.slots();
    slots.resize(length.max(slots.len()), 0);
    moves.iter().for_each(|&(at, id)| slots[at] = id);
    slots.truncate(length);
    rearranged
}

/// What the endpoints that change mean for the runs.
#[derive(Default)]
struct Changes {
    /// How many slots each of them has, and how many it is to have.
    ends: BTreeMap<u32, [u32; 2]>,
    /// Positions of copies that leave a run.
    gone: BTreeMap<Beat, Vec<usize>>,
    /// Copies that come to a run.
    come: BTreeMap<Beat, Vec<u32>>,
}

impl Changes {
    /// The endpoint that stands at these positions, in order, is to have so many slots, which `turns` say afterwards.
    fn add(&mut self, turns: &mut Turns, id: u32, at: &[usize], to: u32) {
        let from = count(at.len());
        self.ends.insert(id, [from, to]);
        if from == to {
            return;
        }
        turns.remove(from);
        turns.add(to, 1);
        let [was, is] = [from, to].map(|slots| beats(slots).collect::<BTreeSet<_>>());
        for (beat, at) in was.iter().zip(at).filter(|(beat, _)| !is.contains(beat)) {
            self.gone.entry(*beat).or_default().push(*at);
        }
        is.difference(&was).for_each(|beat| self.come.entry(*beat).or_default().push(id));
    }

    /// Each run keeps what can stay where it is: others move from where it was to where it is, and into what has left it.
    fn moves(&self, slots: &[u32], [was, is]: [&BTreeMap<Beat, Range<usize>>; 2]) -> Vec<Move> {
        let mut moves = Vec::new();
        for beat in was.keys().chain(is.keys()).copied().collect::<BTreeSet<_>>() {
            let [was, is] = [was, is].map(|runs| runs.get(&beat).cloned().unwrap_or_default());
            let gone = self.gone.get(&beat).map_or(&[][..], Vec::as_slice);
            let holes = gone.iter().copied().filter(|at| is.contains(at)).chain(less(&is, &was));
            let moving = less(&was, &is).filter(|at| !gone.contains(at)).map(|at| slots[at]);
            let come = self.come.get(&beat).into_iter().flatten().copied();
            moves.extend(holes.zip(come.chain(moving)).filter(|(at, id)| slots.get(*at) != Some(id)));
        }
        moves
    }

    /// Who is to have no slot and has some, and who has none and is to have some.
    fn leaving_and_coming(&self) -> [Vec<u32>; 2] {
        let of = |is_it: fn(&[u32; 2]) -> bool| {
            self.ends.iter().filter(move |(_, ends)| is_it(ends)).map(|(id, _)| *id).collect()
        };
        [of(|[from, to]| *from > 0 && *to == 0), of(|[from, to]| *from == 0 && *to > 0)]
    }
}

/// The positions of one range that are not in the other.
fn less(one: &Range<usize>, other: &Range<usize>) -> impl Iterator<Item = usize> {
    (one.start..one.end.min(other.start)).chain(one.start.max(other.end)..one.end)
}

/// Of so many moves it is not worth to find an order.
const MOST: usize = 64;

/// In which order the moves are made.
struct Order<'a> {
    /// As they stand.
    slots: &'a [u32],
    changes: &'a Changes,
    moves: &'a [Move],
}

impl Order<'_> {
    fn find(&self) -> Rearranged {
        let (beyond, within): (Vec<Move>, Vec<Move>) =
            self.moves.iter().partition(|(at, _)| *at >= self.slots.len());
        let [leaving, coming] = self.changes.leaving_and_coming();
        let stores = match (leaving.as_slice(), coming.as_slice()) {
            _ if self.moves.len() > MOST => None,
            ([leaver], [comer]) if beyond.is_empty() => self.for_another(&within, *leaver, *comer),
            ([], [] | [_]) | ([_], []) => self.one_after_the_other(&beyond, within, leaving.first()),
            _ => None,
        };
        Rearranged { beyond, stores }
    }

    /// One endpoint takes the place of another: somebody who stays has all but one of its slots, until that one changes hands.
    fn for_another(&self, within: &[Move], leaver: u32, comer: u32) -> Option<Vec<Move>> {
        let is_handed_over = |(at, id): &Move| self.slots[*at] == leaver && *id == comer;
        if !within.iter().all(is_handed_over) || count(within.len()) != self.changes.ends[&leaver][0] {
            return None;
        }
        let of_leaver: Vec<usize> = within.iter().map(|(at, _)| *at).collect();
        Some([stand_in(self.slots, &of_leaver)?, within.to_vec()].concat())
    }

    /// Nobody but who leaves is overwritten where it stands for the last time, as far as is known.
    fn one_after_the_other(
        &self,
        beyond: &[Move],
        mut within: Vec<Move>,
        leaver: Option<&u32>,
    ) -> Option<Vec<Move>> {
        let mut copies: HashMap<u32, u32> = HashMap::new();
        for (at, _) in &within {
            *copies.entry(self.slots[*at]).or_default() += 1;
        }
        copies.extend(self.changes.ends.iter().map(|(id, [from, _])| (*id, *from)));
        beyond.iter().for_each(|(_, id)| *copies.entry(*id).or_default() += 1);
        let mut stores = Vec::with_capacity(within.len());
        while !within.is_empty() {
            let stands_elsewhere =
                |(at, _): &Move| leaver == Some(&self.slots[*at]) || copies[&self.slots[*at]] > 1;
            let (at, id) = within.swap_remove(within.iter().position(stands_elsewhere)?);
            *copies.entry(id).or_default() += 1;
            copies.entry(self.slots[at]).and_modify(|copies| *copies -= 1);
            stores.push((at, id));
        }
        Some(stores)
    }
}

#[cfg(test)]
mod tests {
    use evermesh_abi::ALGORITHM_ROUND_ROBIN;
    use proptest::{collection::vec, prelude::*};

    use super::{
        super::{
            exchange::is_old_or_new,
            layout::{self, Weighted},
        },
        *,
    };

    fn weighted(weights: &BTreeMap<u32, u32>) -> Vec<Weighted> {
        let taking = weights.iter().filter(|(_, slots)| **slots > 0);
        taking.map(|(&id, &slots)| Weighted { id, workload: id.into(), slots }).collect()
    }

    fn laid_out(weights: &BTreeMap<u32, u32>) -> Vec<u32> {
        layout::slots(ALGORITHM_ROUND_ROBIN, &weighted(weights))
    }

    fn turns(weights: &BTreeMap<u32, u32>) -> Turns {
        weights.values().map(|slots| (*slots, 1)).collect()
    }

    fn are_as_good(slots: &[u32], weights: &BTreeMap<u32, u32>) -> bool {
        layout::are_as_good(ALGORITHM_ROUND_ROBIN, slots, &laid_out(weights), &weighted(weights))
    }

    fn set(slots: &[u32]) -> BTreeSet<u32> {
        slots.iter().copied().collect()
    }

    /// Everyone who can be reached after each store.
    fn reached(before: &[u32], rearranged: &Rearranged, after: &[u32]) -> Vec<BTreeSet<u32>> {
        let mut table = before.to_vec();
        table.resize(before.len().max(after.len()), 0);
        rearranged.beyond.iter().for_each(|&(at, id)| table[at] = id);
        let mut reached = vec![set(&table)];
        for &(at, id) in rearranged.stores.iter().flatten() {
            table[at] = id;
            reached.push(set(&table));
        }
        assert_eq!(&table[..after.len()], after);
        reached
    }

    #[test]
    fn a_weight_of_one_among_many_changes_a_few_slots_in_place() {
        let mut weights: BTreeMap<u32, u32> = (1..=1000).map(|id| (id, 1 + id % 3)).collect();
        let mut slots = laid_out(&weights);
        for (id, to) in [(3, 2), (500, 1), (3, 3), (7, 0)] {
            let rearranged = rearrange(&mut slots, &turns(&weights), vec![(id, to)], &[]);
            weights.insert(id, to);
            assert!(rearranged.stores.is_some_and(|stores| stores.len() < 20), "{id} to {to}");
            assert!(are_as_good(&slots, &weights));
        }
    }

    #[test]
    fn one_endpoint_for_another_takes_its_slots_at_once() {
        let weights: BTreeMap<u32, u32> = (1..=9).map(|id| (id, 3)).collect();
        let before = laid_out(&weights);
        let mut after = before.clone();
        let rearranged = rearrange(&mut after, &turns(&weights), vec![(4, 0)], &[(10, 3)]);
        assert_eq!(rearranged.stores.as_ref().map(Vec::len), Some(5));
        assert!(is_old_or_new(&reached(&before, &rearranged, &after), &before, &after));
    }

    proptest! {
        #[test]
        fn runs_have_whom_they_should_and_nobody_is_missed_meanwhile(
            before in vec(1u32..6, 0..20),
            standing in prop::collection::btree_map(1u32..20, 0u32..6, 0..3),
            new in vec(1u32..6, 0..2),
        ) {
            let weights: BTreeMap<u32, u32> = (1..).zip(before).collect();
            let standing: Vec<Target> = standing.into_iter().filter(|(id, _)| weights.contains_key(id)).collect();
            let new: Vec<Target> = (30..).zip(new).collect();
            let (before, mut wanted) = (laid_out(&weights), weights.clone());
            wanted.extend(standing.iter().chain(&new).copied());
            let mut after = before.clone();
            let rearranged = rearrange(&mut after, &turns(&weights), standing, &new);
            prop_assert!(are_as_good(&after, &wanted));
            if rearranged.stores.is_some() {
                let reached = reached(&before, &rearranged, &after);
                prop_assert!(is_old_or_new(&reached, &before, &after), "{rearranged:?}");
            }
        }
    }
}
