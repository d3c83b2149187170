//! Which endpoint stands in which slot. Pure, and the same for the same endpoints on every node and after every restart, but for the order in
//! a run of those that [take turns](super::turns).

use evermesh_abi::ALGORITHM_MAGLEV;

use super::{maglev, turns};
use crate::lower::Turns;

/// An endpoint that is to have slots.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Weighted {
    pub id: u32,
    /// Digest of the workload.
    pub workload: u64,
    /// More than 0.
    pub slots: u32,
}

/// The endpoint id of each slot. `endpoints` are in the order of their workloads.
pub(in super::super) fn slots(algorithm: u8, endpoints: &[Weighted]) -> Vec<u32> {
    match algorithm {
        ALGORITHM_MAGLEV => maglev::table(endpoints),
        _ => interleaved(endpoints),
    }
}

/// Whether slots are as good as those that are laid out for these endpoints.
pub(super) fn are_as_good(algorithm: u8, slots: &[u32], laid_out: &[u32], endpoints: &[Weighted]) -> bool {
    let sorted = |slots: &[u32]| {
        let mut sorted = slots.to_vec();
        sorted.sort_unstable();
        sorted
    };
    let in_each_run = || {
        let turns: Turns = endpoints.iter().map(|endpoint| (endpoint.slots, 1)).collect();
        let mut runs = turns::runs(&turns).into_values();
        runs.all(|run| sorted(&slots[run.clone()]) == sorted(&laid_out[run]))
    };
    slots == laid_out || (algorithm != ALGORITHM_MAGLEV && slots.len() == laid_out.len() && in_each_run())
}

/// Everyone's slots lie evenly apart, so that taking them in turns is fair over short stretches too.
fn interleaved(endpoints: &[Weighted]) -> Vec<u32> {
    let copies = |endpoint: &Weighted| {
        let id = endpoint.id;
        turns::beats(endpoint.slots).map(move |beat| (beat, id))
    };
    let mut places: Vec<_> = endpoints.iter().flat_map(copies).collect();
    places.sort_by_key(|(beat, _)| *beat);
    places.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use evermesh_abi::ALGORITHM_ROUND_ROBIN;

    use super::*;

    fn weighted(slots: &[u32]) -> Vec<Weighted> {
        (1..).zip(slots).map(|(id, &slots)| Weighted { id, workload: id.into(), slots }).collect()
    }

    #[test]
    fn equal_endpoints_stand_in_their_order() {
        assert_eq!(slots(ALGORITHM_ROUND_ROBIN, &weighted(&[1, 1, 1])), [1, 2, 3]);
    }

    #[test]
    fn heavier_endpoints_come_in_between() {
        assert_eq!(slots(ALGORITHM_ROUND_ROBIN, &weighted(&[4, 1, 2])), [1, 3, 1, 2, 1, 3, 1]);
    }

    #[test]
    fn turns_may_be_in_any_order_but_where_they_belong_elsewhere() {
        let endpoints = weighted(&[2, 2, 1]);
        let laid_out = slots(ALGORITHM_ROUND_ROBIN, &endpoints);
        assert_eq!(laid_out, [1, 2, 3, 1, 2]);
        let as_good = |slots: &[u32], algorithm| are_as_good(algorithm, slots, &laid_out, &endpoints);
        assert!(as_good(&[2, 1, 3, 1, 2], ALGORITHM_ROUND_ROBIN));
        assert!(!as_good(&[1, 1, 3, 2, 2], ALGORITHM_ROUND_ROBIN));
        assert!(!as_good(&[1, 2, 1, 3, 2], ALGORITHM_ROUND_ROBIN));
        assert!(!as_good(&[1, 2, 3, 1], ALGORITHM_ROUND_ROBIN));
        assert!(!as_good(&[2, 1, 3, 1, 2], ALGORITHM_MAGLEV));
    }
}
