//! How many slots each endpoint gets.

use std::collections::BTreeMap;

use evermesh_model::Balancing;

use super::{Candidate, choose::share};

/// Slots that a service with weights may take, unless its endpoints are more than half as many.
const SLOTS: usize = 1024;
/// Weights stay below this, so that they can be added up.
const LARGEST: u128 = 1 << 96;

/// The slots of each endpoint, in proportion to its weight: exactly where [`SLOTS`], or twice the number of endpoints,
/// are enough for that. Else by the method of the largest remainder, first for the revisions, so that a split is kept however
/// many endpoints there are, and then in each of them.
pub(super) fn slots(balancing: &Balancing, flows: &[Candidate<'_>]) -> Vec<u32> {
    let capacity = |candidate: &Candidate<'_>| candidate.workload.capacity;
    let alike = flows.windows(2).all(|pair| capacity(&pair[0]) == capacity(&pair[1]));
    if balancing.split.is_empty() && alike {
        return vec![1; flows.len()];
    }
    let revisions = revisions(balancing, flows);
    let limit = SLOTS.max(2 * flows.len()) as u128;
    let by_revision = exact(&revisions, limit).unwrap_or_else(|| rounded(&revisions, limit));
    let mut slots = vec![0; flows.len()];
    for (revision, of_revision) in revisions.iter().zip(by_revision) {
        revision.endpoints.iter().zip(of_revision).for_each(|(&at, its)| slots[at] = its);
    }
    slots
}

/// The endpoints of one revision, by their places among all; without a split they are all of one.
#[derive(Default)]
struct Revision {
    /// Its share of the flows.
    share: u128,
    endpoints: Vec<usize>,
    capacities: Vec<u128>,
}

/// By name.
fn revisions(balancing: &Balancing, flows: &[Candidate<'_>]) -> Vec<Revision> {
    let mut revisions = BTreeMap::<&str, Revision>::new();
    for (at, Candidate { workload, .. }) in flows.iter().enumerate() {
        let (name, share) = match balancing.split.as_slice() {
            [] => ("", 1),
            _ => (workload.revision.as_str(), share(balancing, workload)),
        };
        let revision = revisions.entry(name).or_default();
        revision.share = share.into();
        revision.endpoints.push(at);
        revision.capacities.push(workload.capacity.into());
    }
    revisions.into_values().collect()
}

/// Share of the revision, times the part of the revision's capacity; as whole numbers. `None`: they are more than `limit`.
fn exact(revisions: &[Revision], limit: u128) -> Option<Vec<Vec<u32>>> {
    let small = |number: &u128| *number < LARGEST;
    let whole = |revision: &Revision| revision.capacities.iter().sum::<u128>();
    let common = revisions
        .iter()
        .map(whole)
        .try_fold(1, |common: u128, whole| (common / gcd(common, whole)).checked_mul(whole).filter(small))?;
    let weights = |revision: &Revision| -> Option<Vec<u128>> {
        let each = revision.share.checked_mul(common / whole(revision)).filter(small)?;
        revision.capacities.iter().map(|capacity| capacity.checked_mul(each).filter(small)).collect()
    };
    let weights = revisions.iter().map(weights).collect::<Option<Vec<_>>>()?;
    let divisor = weights.iter().flatten().copied().fold(0, gcd).max(1);
    let fits = weights.iter().flatten().sum::<u128>() / divisor <= limit;
    let slots = |weights: Vec<u128>| weights.into_iter().map(|weight| number(weight / divisor)).collect();
    fits.then(|| weights.into_iter().map(slots).collect())
}

/// As many slots as the shares go into without a rest, if they do at all: then only capacities are rounded.
fn rounded(revisions: &[Revision], limit: u128) -> Vec<Vec<u32>> {
    let shares: Vec<u128> = revisions.iter().map(|revision| revision.share).collect();
    let whole = shares.iter().sum::<u128>() / shares.iter().copied().fold(0, gcd).max(1);
    let total = if whole <= limit { limit / whole * whole } else { limit };
    let each = revisions.iter().zip(apportion(&shares, total));
    each.map(|(revision, slots)| apportion(&revision.capacities, slots.into())).collect()
}

/// `total` slots in proportion to the weights, of which one at least is more than 0, by the method of the largest remainder.
fn apportion(weights: &[u128], total: u128) -> Vec<u32> {
    let whole: u128 = weights.iter().sum();
    let mut slots: Vec<u32> = weights.iter().map(|weight| number(weight * total / whole)).collect();
    let left = total - slots.iter().map(|slots| u128::from(*slots)).sum::<u128>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&at| (std::cmp::Reverse(weights[at] * total % whole), at));
    for &at in by_remainder.iter().take(left as usize) {
        slots[at] += 1;
    }
    slots
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
    use std::net::IpAddr;

    use evermesh_model::Workload;
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Slots of all endpoints of each revision, and the fewest and the most that one of them has.
    fn by_revision(
        split: &[(&str, u32)],
        endpoints: &[(&str, u32, usize)],
    ) -> BTreeMap<String, (u32, u32, u32)> {
        let split = split.iter().map(|&(revision, share)| (revision.into(), share)).collect();
        let balancing = Balancing { split, ..Balancing::default() };
        let workloads: Vec<Workload> = endpoints
            .iter()
            .flat_map(|&(revision, capacity, count)| {
                let one = Workload { revision: revision.into(), capacity, ..Workload::default() };
                std::iter::repeat_n(one, count)
            })
            .collect();
        let address = IpAddr::from([10, 0, 0, 1]);
        let flows: Vec<_> =
            workloads.iter().map(|workload| Candidate { workload, address, port: 80 }).collect();
        let mut all = BTreeMap::new();
        for (workload, slots) in workloads.iter().zip(slots(&balancing, &flows)) {
            let (sum, least, most) = all.entry(workload.revision.to_string()).or_insert((0, slots, slots));
            (*sum, *least, *most) = (*sum + slots, slots.min(*least), slots.max(*most));
        }
        all
    }

    #[test]
    fn what_fits_is_exact() {
        let canary = by_revision(&[("v1", 99), ("v2", 1)], &[("v1", 1, 3), ("v2", 1, 2)]);
        assert_eq!(canary["v1"], (198, 66, 66));
        assert_eq!(canary["v2"], (2, 1, 1));
        assert_eq!(by_revision(&[], &[("v1", 1, 3)])["v1"], (3, 1, 1));
        assert_eq!(by_revision(&[], &[("v1", 9, 2), ("v2", 1, 1)])["v2"], (1, 1, 1));
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
        assert_eq!(apportion(&[60, 25, 15], 10), [6, 3, 1]);
        assert_eq!(apportion(&[1_000_000, 1], 10), [10, 0]);
    }

    proptest! {
        /// The quota rule: nobody is a whole slot away from its exact part, and all slots are given.
        #[test]
        fn nobody_is_a_whole_slot_off(weights in vec(1..=u128::from(u32::MAX), 1..40), total in 0u128..2048) {
            let whole: u128 = weights.iter().sum();
            let slots = apportion(&weights, total);
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
