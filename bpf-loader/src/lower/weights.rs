//! How many slots each endpoint gets: by classes of endpoints that are alike, since there are few.

use evermesh_model::Balancing;

use super::census::Class;

/// Slots that a service with weights may take, unless its endpoints are more than half as many.
const SLOTS: usize = 1024;
/// Weights stay below this, so that they can be added up.
const LARGEST: u128 = 1 << 96;

/// The slots of each endpoint of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub slots: u32,
    /// So many of them, the first ones, have one slot more.
    pub more: u32,
}

impl Part {
    /// The slots of the next endpoint.
    pub fn next(&mut self) -> u32 {
        let more = self.more.min(1);
        self.more -= more;
        self.slots + more
    }
}

/// Of a class of a service whose flows are split: the share of its revision; 0 where the split does not name it.
pub(super) fn share(balancing: &Balancing, class: &Class) -> u32 {
    balancing.split.get(class.revision as usize).map_or(0, |(_, share)| *share)
}

/// The slots of each endpoint, by class, in proportion to its weight: exactly where [`SLOTS`], or twice the number of endpoints,
/// are enough for that. Else by the method of the largest remainder, first for the revisions, so that a split is kept however
/// many endpoints there are, and then in each of them.
pub(super) fn parts(balancing: &Balancing, flows: &[(Class, u32)]) -> Vec<Part> {
    if let ([_], []) = (flows, balancing.split.as_slice()) {
        return vec![Part { slots: 1, more: 0 }];
    }
    let revisions = revisions(balancing, flows);
    let endpoints: usize = flows.iter().map(|(_, count)| *count as usize).sum();
    let limit = SLOTS.max(2 * endpoints) as u128;
    let parts = exact(&revisions, limit).unwrap_or_else(|| rounded(&revisions, limit));
    parts.into_iter().flatten().collect()
}

/// So many endpoints, each of this weight.
#[derive(Clone, Copy)]
struct Alike {
    weight: u128,
    count: u32,
}

impl Alike {
    fn whole(&self) -> u128 {
        self.weight * u128::from(self.count)
    }
}

/// The endpoints of one revision; without a split they are all of one.
struct Revision {
    /// Its share of the flows.
    share: u128,
    classes: Vec<Alike>,
}

impl Revision {
    fn capacity(&self) -> u128 {
        self.classes.iter().map(Alike::whole).sum()
    }
}

/// In their order, as the classes are.
fn revisions(balancing: &Balancing, flows: &[(Class, u32)]) -> Vec<Revision> {
    let of_one = flows.chunk_by(|(one, _), (next, _)| one.revision == next.revision);
    let revision = |classes: &[(Class, u32)]| Revision {
        share: classes
            .first()
            .filter(|_| !balancing.split.is_empty())
            .map_or(1, |(class, _)| share(balancing, class).into()),
        classes: classes
            .iter()
            .map(|(class, count)| Alike { weight: class.capacity.into(), count: *count })
            .collect(),
    };
    of_one.map(revision).collect()
}

/// Share of the revision, times the part of the revision's capacity; as whole numbers. `None`: they are more than `limit`.
fn exact(revisions: &[Revision], limit: u128) -> Option<Vec<Vec<Part>>> {
    let small = |number: &u128| *number < LARGEST;
    let common = revisions
        .iter()
        .map(Revision::capacity)
        .try_fold(1, |common: u128, whole| (common / gcd(common, whole)).checked_mul(whole).filter(small))?;
    let weights = |revision: &Revision| -> Option<Vec<Alike>> {
        let each = revision.share.checked_mul(common / revision.capacity()).filter(small)?;
        let weight =
            |class: &Alike| Some(Alike { weight: class.weight.checked_mul(each).filter(small)?, ..*class });
        revision.classes.iter().map(weight).collect()
    };
    let weights = revisions.iter().map(weights).collect::<Option<Vec<_>>>()?;
    let divisor = weights.iter().flatten().map(|class| class.weight).fold(0, gcd).max(1);
    let fits = weights.iter().flatten().map(Alike::whole).sum::<u128>() / divisor <= limit;
    let part = |class: Alike| Part { slots: number(class.weight / divisor), more: 0 };
    fits.then(|| weights.into_iter().map(|classes| classes.into_iter().map(part).collect()).collect())
}

/// As many slots as the shares go into without a rest, if they do at all: then only capacities are rounded.
fn rounded(revisions: &[Revision], limit: u128) -> Vec<Vec<Part>> {
    let shares: Vec<Alike> =
        revisions.iter().map(|revision| Alike { weight: revision.share, count: 1 }).collect();
    let divisor = shares.iter().map(|share| share.weight).fold(0, gcd).max(1);
    let whole = shares.iter().map(|share| share.weight).sum::<u128>() / divisor;
    let total = if whole <= limit { limit / whole * whole } else { limit };
    let each = revisions.iter().zip(apportion(&shares, total));
    each.map(|(revision, Part { slots, more })| apportion(&revision.classes, (slots + more).into())).collect()
}

/// `total` slots in proportion to the weights, of which one at least is more than 0, by the method of the largest remainder.
fn apportion(classes: &[Alike], total: u128) -> Vec<Part> {
    let whole: u128 = classes.iter().map(Alike::whole).sum();
    let mut parts: Vec<Part> =
        classes.iter().map(|class| Part { slots: number(class.weight * total / whole), more: 0 }).collect();
    let given = |(part, class): (&Part, &Alike)| u128::from(part.slots) * u128::from(class.count);
    let mut left = total - parts.iter().zip(classes).map(given).sum::<u128>();
    let mut by_remainder: Vec<usize> = (0..classes.len()).collect();
    by_remainder.sort_by_key(|&at| (std::cmp::Reverse(classes[at].weight * total % whole), at));
    for at in by_remainder {
        let more = number(left.min(classes[at].count.into()));
        left -= u128::from(more);
        match more == classes[at].count {
            true => parts[at].slots += 1,
            false => parts[at].more = more,
        }
    }
    parts
}

#[expect(clippy::cast_possible_truncation, reason = "no more than the limit, which is a number of slots")]
fn number(slots: u128) -> u32 {
    slots as u32
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use evermesh_model::{Place, Workload};
    use proptest::{collection::vec, prelude::*};

    use super::{super::census::Census, *};

    /// Slots of all endpoints of each revision, and the fewest and the most that one of them has.
    fn by_revision(
        split: &[(&str, u32)],
        endpoints: &[(&str, u32, usize)],
    ) -> BTreeMap<String, (u32, u32, u32)> {
        let split = split.iter().map(|&(revision, share)| (revision.into(), share)).collect();
        let balancing = Balancing { split, ..Balancing::default() };
        let of_each = endpoints.iter().flat_map(|&(revision, capacity, count)| {
            let one = Workload { revision: revision.into(), capacity, ..Workload::default() };
            std::iter::repeat_n(Class::of(&balancing, &Place::default(), &one), count)
        });
        let classes: Vec<_> = of_each.collect();
        let flows: Vec<_> = classes.iter().copied().collect::<Census>().iter().collect();
        let name = |class: &Class| balancing.split.get(class.revision as usize).map_or("", |(name, _)| name);
        let mut all = BTreeMap::new();
        for ((class, count), mut part) in flows.iter().zip(parts(&balancing, &flows)) {
            for slots in (0..*count).map(|_| part.next()) {
                let (sum, least, most) = all.entry(name(class).to_owned()).or_insert((0, slots, slots));
                (*sum, *least, *most) = (*sum + slots, slots.min(*least), slots.max(*most));
            }
        }
        all
    }

    #[test]
    fn what_fits_is_exact() {
        let canary = by_revision(&[("v1", 99), ("v2", 1)], &[("v1", 1, 3), ("v2", 1, 2)]);
        assert_eq!(canary["v1"], (198, 66, 66));
        assert_eq!(canary["v2"], (2, 1, 1));
        assert_eq!(by_revision(&[], &[("v1", 1, 3)])[""], (3, 1, 1));
        assert_eq!(by_revision(&[], &[("v1", 9, 2), ("v2", 1, 1)])[""], (19, 1, 9));
    }

    #[test]
    fn a_canary_gets_its_share_however_many_endpoints_there_are() {
        for (stable, canary, share) in
            [(200, 200, 10), (250, 250, 10), (150, 150, 10), (50, 50, 1), (20, 20, 1), (1000, 50, 1)]
        {
            let all =
                by_revision(&[("v1", 100 - share), ("v2", share)], &[("v1", 1, stable), ("v2", 1, canary)]);
            let (v1, v2) = (all["v1"], all["v2"]);
            assert_eq!(v2.0 * (100 - share), v1.0 * share, "{stable} and {canary}");
            assert!(v1.2 - v1.1 <= 1 && v2.2 - v2.1 <= 1, "{all:?}");
        }
    }

    #[test]
    fn shares_that_never_fit_are_rounded() {
        let all = by_revision(&[("v1", 10_006), ("v2", 1)], &[("v1", 1, 3), ("v2", 1, 1)]);
        assert_eq!((all["v1"].0, all["v2"].0), (1024, 0));
    }

    #[test]
    fn the_largest_remainders_are_rounded_up() {
        assert_eq!(apportioned(&[60, 25, 15], 10), [6, 3, 1]);
        assert_eq!(apportioned(&[1_000_000, 1], 10), [10, 0]);
        assert_eq!(apportioned(&[2, 2, 2, 1], 12), [4, 3, 3, 2]);
    }

    /// Of endpoints in the order of their weights.
    fn apportioned(weights: &[u128], total: u128) -> Vec<u32> {
        let alike = weights.chunk_by(u128::eq);
        let alike = alike.map(|run| Alike { weight: run[0], count: u32::try_from(run.len()).unwrap() });
        let classes: Vec<_> = alike.collect();
        let parts = classes.iter().zip(apportion(&classes, total));
        parts.flat_map(|(class, mut part)| (0..class.count).map(move |_| part.next())).collect()
    }

    proptest! {
        /// The quota rule: nobody is a whole slot away from its exact part, and all slots are given.
        #[test]
        fn nobody_is_a_whole_slot_off(weights in vec(prop_oneof![1..5u128, 1..=u128::from(u32::MAX)], 1..40), total in 0u128..2048) {
            let mut weights = weights;
            weights.sort_unstable();
            let whole: u128 = weights.iter().sum();
            let slots = apportioned(&weights, total);
            for (slots, weight) in slots.iter().zip(&weights) {
                prop_assert!((u128::from(*slots) * whole).abs_diff(weight * total) < whole);
            }
            prop_assert_eq!(slots.iter().map(|slots| u128::from(*slots)).sum::<u128>(), total);
        }

        #[test]
        fn shares_are_kept_and_the_limit_too(
            shares in vec(1u32..100, 1..4),
            endpoints in vec((0usize..4, 1u32..5), 1..300),
        ) {
            const NAMES: [&str; 4] = ["a", "b", "c", "d"];
            let split: Vec<_> = NAMES.into_iter().zip(shares).collect();
            let named = endpoints.iter().map(|&(at, capacity)| (split[at % split.len()].0, capacity, 1));
            let endpoints: Vec<_> = named.collect();
            let all = by_revision(&split, &endpoints);
            let left = || split.iter().filter(|(name, _)| all.contains_key(*name));
            let whole: u32 = left().map(|(_, share)| share).sum();
            let total: u32 = all.values().map(|(slots, ..)| slots).sum();
            prop_assert!(total as usize <= SLOTS.max(2 * endpoints.len()));
            for (name, share) in left() {
                prop_assert_eq!(all[*name].0 * whole, total * share);
            }
        }
    }
}
