use std::collections::BTreeMap;

/// How many endpoints have each number of slots, of a service port whose endpoints take turns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(BTreeMap<u32, u32>);

impl Turns {
    /// So many more of those that have any slots.
    pub(crate) fn add(&mut self, slots: u32, endpoints: u32) {
        if slots > 0 && endpoints > 0 {
            *self.0.entry(slots).or_default() += endpoints;
        }
    }

    /// One endpoint less of those.
    pub(crate) fn remove(&mut self, slots: u32) {
        if let Some(endpoints) = self.0.get_mut(&slots) {
            *endpoints -= 1;
        }
        self.0.retain(|_, endpoints| *endpoints > 0);
    }

    /// Each number of slots, and how many endpoints have it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().map(|(slots, endpoints)| (*slots, *endpoints))
    }

    /// How many slots all have together.
    pub(crate) fn slots(&self) -> usize {
        self.iter().map(|(slots, endpoints)| slots as usize * endpoints as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(u32, u32)> for Turns {
    fn from_iter<I: IntoIterator<Item = (u32, u32)>>(numbers: I) -> Self {
        let mut turns = Self::default();
        numbers.into_iter().for_each(|(slots, endpoints)| turns.add(slots, endpoints));
        turns
    }
}
