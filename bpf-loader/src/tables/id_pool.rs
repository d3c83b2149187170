/// Numbers from 1 up to a bound, handed out once until given back. 0 means "none" in every table.
#[derive(Clone, Debug)]
pub struct IdPool {
    next: u32,
    end: u32,
    free: Vec<u32>,
}

impl IdPool {
    /// Ids below `end`, of which those that `used` names are taken.
    pub fn new(end: u32, used: impl Fn(u32) -> bool) -> Self {
        let next = (1..end).rev().find(|&id| used(id)).map_or(1, |highest| highest + 1);
        let free = (1..next).rev().filter(|&id| !used(id)).collect();
        Self { next, end, free }
    }

    /// Takes an id; `None` when all are taken.
    pub fn take(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            (self.next < self.end).then(|| {
                self.next += 1;
                self.next - 1
            })
        })
    }

    /// Gives ids back.
    pub fn give_back(&mut self, ids: &[u32]) {
        self.free.extend(ids);
    }

    /// Sets the bound, but not below an id that was ever taken.
    pub fn resize(&mut self, end: u32) {
        self.end = end.max(self.next);
    }

    /// One more than the highest id ever taken.
    pub fn high_water(&self) -> u32 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_before_new_ids_are_taken() {
        let mut pool = IdPool::new(8, |id| [1, 2, 5].contains(&id));
        let taken: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(taken, [3, 4, 6, 7]);
        pool.give_back(&[4]);
        assert_eq!((pool.take(), pool.take()), (Some(4), None));
    }
}
