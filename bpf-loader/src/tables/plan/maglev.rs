//! Maglev's consistent hashing (Eisenbud et al., NSDI 2016, section 3.4), with weights: every endpoint prefers the slots in an
//! order of its own and takes turns at taking the first free one. Few slots change hands when endpoints come and go.

use super::layout::Weighted;

/// Prime, and at most a power of two, because ranges of slots are powers of two.
const SIZES: [u32; 9] = [251, 509, 1021, 2039, 4093, 8191, 16_381, 32_749, 65_521];
/// So many slots for each endpoint at least, while the largest size allows: then one endpoint of a hundred that goes moves
/// about 0.6 % of the clients besides its own 1 %.
const SLOTS_PER_ENDPOINT: usize = 400;

/// Slots of a table for so many endpoints: 8 bytes each.
pub(in super::super) fn size(endpoints: usize) -> u32 {
    let needed = endpoints.saturating_mul(SLOTS_PER_ENDPOINT);
    let fits = SIZES.iter().find(|size| **size as usize >= needed);
    *fits.unwrap_or(&SIZES[SIZES.len() - 1])
}

/// The endpoint id of each slot.
pub(super) fn table(endpoints: &[Weighted]) -> Vec<u32> {
    let Some(heaviest) = endpoints.iter().map(|endpoint| u64::from(endpoint.slots)).max() else {
        return Vec::new();
    };
    let size = size(endpoints.len());
    let mut table = vec![0; size as usize];
    let mut turns: Vec<Turns> = endpoints.iter().map(|endpoint| Turns::new(endpoint, size)).collect();
    let mut free = size;
    for round in 1u64.. {
        for (endpoint, turns) in endpoints.iter().zip(&mut turns) {
            if round * u64::from(endpoint.slots) < turns.due {
                continue;
            }
            turns.due += heaviest;
            turns.take(&mut table, endpoint.id);
            free -= 1;
            if free == 0 {
                return table;
            }
        }
    }
    table
}

/// Where an endpoint stands in its order of preference.
struct Turns {
    next: u64,
    skip: u64,
    /// The heaviest endpoint has a turn in every round; the others when their weights have added up to its weight.
    due: u64,
}

impl Turns {
    fn new(endpoint: &Weighted, size: u32) -> Self {
        let (high, low) = (endpoint.workload >> 32, endpoint.workload & u64::from(u32::MAX));
        Self { next: high % u64::from(size), skip: low % u64::from(size - 1) + 1, due: 0 }
    }

    fn take(&mut self, table: &mut [u32], id: u32) {
        let size = table.len() as u64;
        loop {
            let slot = usize::try_from(self.next).ok().and_then(|at| table.get_mut(at));
            self.next = (self.next + self.skip) % size;
            if let Some(slot) = slot.filter(|slot| **slot == 0) {
                *slot = id;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(count: u32) -> Vec<Weighted> {
        (1..=count)
            .map(|id| Weighted { id, workload: xxhash_rust::xxh3::xxh3_64(&id.to_le_bytes()), slots: 1 })
            .collect()
    }

    fn shares(table: &[u32], count: u32) -> Vec<usize> {
        (1..=count).map(|id| table.iter().filter(|owner| **owner == id).count()).collect()
    }

    #[test]
    fn sizes_fit_the_ranges_of_slots() {
        for size in SIZES {
            assert!(f64::from(size) > f64::from(size.next_power_of_two()) * 0.97);
            assert!(
                (2..size).take_while(|divisor| divisor * divisor <= size).all(|divisor| size % divisor != 0)
            );
        }
        assert_eq!((size(1), size(10), size(1_000_000)), (509, 4093, 65_521));
    }

    #[test]
    fn everyone_gets_an_equal_share() {
        let shares = shares(&table(&endpoints(100)), 100);
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(most - least <= 2, "{least} to {most}");
    }

    #[test]
    fn one_of_a_hundred_takes_few_slots_with_it() {
        let all = endpoints(100);
        let before = table(&all);
        let after = table(&all[1..]);
        let moved =
            before.iter().zip(&after).filter(|(before, after)| before != after && **before != 1).count();
        assert!(moved * 100 < before.len(), "{moved} of {} moved besides its own", before.len());
    }

    #[test]
    fn weights_are_shares() {
        let mut endpoints = endpoints(3);
        endpoints[0].slots = 9;
        let shares = shares(&table(&endpoints), 3);
        let whole: usize = shares.iter().sum();
        assert!((shares[0] * 11).abs_diff(whole * 9) < whole / 20, "{shares:?}");
    }
}
