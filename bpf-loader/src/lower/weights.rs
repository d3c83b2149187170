//! How many slots each endpoint gets.

use std::collections::BTreeMap;

use evermesh_model::Balancing;

use super::{Candidate, choose::share};

/// Slots that a service with weights may take, unless its endpoints are more than half as many.
const SLOTS: usize = 1024;
/// Weights stay below this, so that they can be multiplied by a number of slots.
const LARGEST: u128 = 1 << 96;

/// The slots of each endpoint, in proportion to its weight: exactly where [`SLOTS`], or twice the number of endpoints,
/// are enough for that, else by the method of the largest remainder.
pub(super) fn slots(balancing: &Balancing, flows: &[Candidate<'_>]) -> Vec<u32> {
    let capacity = |candidate: &Candidate<'_>| candidate.workload.capacity;
    let alike = flows.windows(2).all(|pair| capacity(&pair[0]) == capacity(&pair[1]));
    if balancing.split.is_empty() && alike {
        return vec![1; flows.len()];
    }
    let weights = exact(balancing, flows).unwrap_or_else(|| rounded(balancing, flows));
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let weights: Vec<u128> = weights.into_iter().map(|weight| weight / divisor).collect();
    apportion(&weights, SLOTS.max(2 * flows.len()) as u128)
}

/// Share of the revision, times the part of the revision's capacity; as whole numbers. `None`: they are too large.
fn exact(balancing: &Balancing, flows: &[Candidate<'_>]) -> Option<Vec<u128>> {
    let capacities = capacities(balancing, flows);
    let common = capacities.values().try_fold(1, |common: u128, capacity| {
        (common / gcd(common, *capacity)).checked_mul(*capacity).filter(|common| *common < LARGEST)
    })?;
    let weight = |candidate: &Candidate<'_>| {
        let (revision, share) = part(balancing, candidate);
        let of_revision = common / capacities.get(revision)?;
        let weight = share * u128::from(candidate.workload.capacity);
        weight.checked_mul(of_revision).filter(|weight| *weight < LARGEST)
    };
    flows.iter().map(weight).collect()
}

fn rounded(balancing: &Balancing, flows: &[Candidate<'_>]) -> Vec<u128> {
    let capacities = capacities(balancing, flows);
    let weight = |candidate: &Candidate<'_>| {
        let (revision, share) = part(balancing, candidate);
        let whole = capacities.get(revision).copied().unwrap_or(1);
        (share * u128::from(candidate.workload.capacity) * (1 << 32) / whole).max(1)
    };
    flows.iter().map(weight).collect()
}

/// What the endpoints of each revision can take together; without a split they are all of one.
fn capacities<'a>(balancing: &Balancing, flows: &'a [Candidate<'_>]) -> BTreeMap<&'a str, u128> {
    let mut capacities = BTreeMap::new();
    for candidate in flows {
        let (revision, _) = part(balancing, candidate);
        *capacities.entry(revision).or_default() += u128::from(candidate.workload.capacity);
    }
    capacities
}

fn part<'a>(balancing: &Balancing, candidate: &'a Candidate<'_>) -> (&'a str, u128) {
    match balancing.split.as_slice() {
        [] => ("", 1),
        _ => (&candidate.workload.revision, share(balancing, candidate.workload).into()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "no more than `limit`, which is a number of slots")]
fn apportion(weights: &[u128], limit: u128) -> Vec<u32> {
    let total: u128 = weights.iter().sum();
    if total <= limit {
        return weights.iter().map(|weight| *weight as u32).collect();
    }
    let mut slots: Vec<u32> = weights.iter().map(|weight| (weight * limit / total) as u32).collect();
    let left = limit - slots.iter().map(|slots| u128::from(*slots)).sum::<u128>();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by_key(|&at| (std::cmp::Reverse(weights[at] * limit % total), at));
    for &at in by_remainder.iter().take(left as usize) {
        slots[at] += 1;
    }
    slots
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_is_exact() {
        assert_eq!(apportion(&[99, 1], 1024), [99, 1]);
        assert_eq!(apportion(&[1, 1, 1], 1024), [1, 1, 1]);
        assert_eq!(apportion(&[], 1024), [0; 0]);
    }

    #[test]
    fn the_largest_remainders_are_rounded_up() {
        assert_eq!(apportion(&[60, 25, 15], 10), [6, 3, 1]);
        assert_eq!(apportion(&[1_000_000, 1], 10), [10, 0]);
    }

    proptest! {
        /// The quota rule: nobody is a whole slot away from its exact part, and all slots are given.
        #[test]
        fn nobody_is_a_whole_slot_off(weights in prop::collection::vec(1u128..LARGEST, 1..40), limit in 1u128..2048) {
            let total: u128 = weights.iter().sum();
            let slots = apportion(&weights, limit);
            for (slots, weight) in slots.iter().zip(&weights) {
                let quota = if total <= limit { *weight * total } else { weight * limit };
                prop_assert!((u128::from(*slots) * total).abs_diff(quota) < total);
            }
            prop_assert_eq!(slots.iter().map(|slots| u128::from(*slots)).sum::<u128>(), total.min(limit));
        }
    }
}
