use std::{cmp::Ordering, sync::Arc};

use equivalent::{Comparable, Equivalent};
use evermesh_model::SmolStr;
use imbl::OrdMap;
use xxhash_rust::xxh3::xxh3_64;

use super::{Kind, known::Known};

/// What is known of the resources of a kind. In a tree, since a hash map that costs nothing to copy has more empty places than full
/// ones; in the order of their names' hashes, since names are long and begin alike.
#[derive(Clone, Debug, Default)]
pub(super) struct ByName(OrdMap<Key, Arc<Known>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    hash: u64,
    name: SmolStr,
}

impl Key {
    fn new(name: SmolStr) -> Self {
        Self { hash: Sought::new(&name).hash, name }
    }
}

/// A name that is looked for.
struct Sought<'a> {
    hash: u64,
    name: &'a str,
}

impl<'a> Sought<'a> {
    fn new(name: &'a str) -> Self {
        Self { hash: xxh3_64(name.as_bytes()), name }
    }
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.compare(key).is_eq()
    }
}

impl Comparable<Key> for Sought<'_> {
    fn compare(&self, key: &Key) -> Ordering {
        (self.hash, self.name).cmp(&(key.hash, key.name.as_str()))
    }
}

impl ByName {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Known>> {
        self.0.get(&Sought::new(name))
    }

    /// With its name as it is kept.
    pub fn get_named(&self, name: &str) -> Option<(&SmolStr, &Arc<Known>)> {
        self.0.get_key_value(&Sought::new(name)).map(|(key, known)| (&key.name, known))
    }

    pub fn insert(&mut self, name: SmolStr, known: Arc<Known>) {
        self.0.insert(Key::new(name), known);
    }

    pub fn remove(&mut self, name: &str) -> Option<Arc<Known>> {
        self.0.remove(&Sought::new(name))
    }

    /// All, in an order that says nothing.
    pub fn iter(&self) -> impl Iterator<Item = (&SmolStr, &Arc<Known>)> {
        self.0.iter().map(|(key, known)| (&key.name, known))
    }

    pub fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.0.keys().map(|key| &key.name)
    }
}

/// What is known, kind by kind: whoever walks the policies does not meet a hundred thousand workloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources {
    addresses: ByName,
    policies: ByName,
}

impl Resources {
    pub fn of(&self, kind: Kind) -> &ByName {
        match kind {
            Kind::Address => &self.addresses,
            Kind::Authorization => &self.policies,
        }
    }

    pub fn of_mut(&mut self, kind: Kind) -> &mut ByName {
        match kind {
            Kind::Address => &mut self.addresses,
            Kind::Authorization => &mut self.policies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_hash_are_told_apart() {
        let key = |name: &str| Key { hash: 7, name: name.into() };
        let map = OrdMap::from_iter([(key("a"), 1), (key("b"), 2)]);
        let sought = |hash, name| map.get(&Sought { hash, name }).copied();
        assert_eq!(
            [sought(7, "a"), sought(7, "b"), sought(7, "c"), sought(8, "a")],
            [Some(1), Some(2), None, None]
        );
    }
}
