use std::collections::BTreeSet;

/// Ranges of slots, each a power of two long and aligned to its length (a buddy allocator).
#[derive(Clone, Debug)]
pub struct SlotPool {
    end: u32,
    /// Free ranges by the logarithm of their length: first slots.
    free: [BTreeSet<u32>; 32],
}

impl SlotPool {
    /// All slots below `end` are free.
    pub fn new(end: u32) -> Self {
        let mut pool = Self { end: 0, free: Default::default() };
        pool.grow(end);
        pool
    }

    /// The length of the range that `count` slots are given.
    pub fn capacity(count: u32) -> u32 {
        if count == 0 { 0 } else { count.next_power_of_two() }
    }

    /// Sets the bound, below which every slot in use must lie; new slots are free.
    pub fn resize(&mut self, end: u32) {
        if end < self.end {
            self.shrink(end);
        }
        self.grow(end);
    }

    fn shrink(&mut self, end: u32) {
        let mut first_beyond = end;
        for (order, free) in (0..).zip(&mut self.free) {
            let reaches_beyond = (end + 1).saturating_sub(1 << order);
            let beyond = free.split_off(&reaches_beyond);
            first_beyond = first_beyond.min(beyond.first().copied().unwrap_or(end));
        }
        // What is left of the one free range that the bound cuts.
        self.end = first_beyond;
    }

    fn grow(&mut self, end: u32) {
        while self.end < end {
            let order = self.end.trailing_zeros().min((end - self.end).ilog2());
            let start = self.end;
            self.end += 1 << order;
            self.insert(start, order);
        }
    }

    /// Takes a range for `count` slots; `None` when no free range is long enough.
    pub fn take(&mut self, count: u32) -> Option<u32> {
        let order = Self::capacity(count).checked_ilog2()?;
        let from = (order..32).find(|&order| !self.free[order as usize].is_empty())?;
        let start = self.free[from as usize].pop_first()?;
        self.split(start, from, order);
        Some(start)
    }

    /// Takes the range for `count` slots at `start`, as it was found in use; `false` if it is not free or not aligned.
    pub fn reserve(&mut self, start: u32, count: u32) -> bool {
        let Some(order) = Self::capacity(count).checked_ilog2() else { return true };
        if !start.is_multiple_of(1 << order) {
            return false;
        }
        let holds = |order: u32| (order, start & !((1u32 << order) - 1));
        let Some((from, first)) =
            (order..31).map(holds).find(|(order, first)| self.free[*order as usize].contains(first))
        else {
            return false;
        };
        self.free[from as usize].remove(&first);
        self.split_towards(first, from, start, order);
        true
    }

    /// Gives a range for `count` slots back.
    pub fn give_back(&mut self, start: u32, count: u32) {
        if let Some(order) = Self::capacity(count).checked_ilog2() {
            self.insert(start, order);
        }
    }

    fn insert(&mut self, mut start: u32, mut order: u32) {
        while order < 31 && self.free[order as usize].remove(&(start ^ (1 << order))) {
            start &= !(1 << order);
            order += 1;
        }
        self.free[order as usize].insert(start);
    }

    fn split(&mut self, start: u32, from: u32, to: u32) {
        self.split_towards(start, from, start, to);
    }

    fn split_towards(&mut self, mut first: u32, mut from: u32, start: u32, to: u32) {
        while from > to {
            from -= 1;
            let upper = first + (1 << from);
            let (keep, other) = if start >= upper { (upper, first) } else { (first, upper) };
            self.free[from as usize].insert(other);
            first = keep;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_never_overlap_and_all_come_back(
            end in 1u32..5000,
            spare in 0u32..300,
            counts in prop::collection::vec(1u32..200, 0..60),
        ) {
            let mut pool = SlotPool::new(end);
            let taken: Vec<_> = counts.iter().filter_map(|&n| Some((pool.take(n)?, n))).collect();
            let mut used = BTreeSet::new();
            for &(start, count) in &taken {
                for slot in start..start + SlotPool::capacity(count) {
                    prop_assert!(slot < end && used.insert(slot));
                }
            }
            let mut again = SlotPool::new(end);
            for &(start, count) in &taken {
                prop_assert!(again.reserve(start, count));
                prop_assert!(!again.reserve(start, count));
            }
            prop_assert_eq!(&again.free, &pool.free);
            let in_use = used.last().map_or(0, |last| last + 1);
            for other in [in_use + spare, in_use, end] {
                pool.resize(other);
                let mut of_that_size = SlotPool::new(other);
                for &(start, count) in &taken {
                    prop_assert!(of_that_size.reserve(start, count));
                }
                prop_assert_eq!((pool.end, &pool.free), (other, &of_that_size.free));
            }
            for &(start, count) in &taken {
                pool.give_back(start, count);
            }
            prop_assert_eq!(&pool.free, &SlotPool::new(end).free);
        }
    }
}
