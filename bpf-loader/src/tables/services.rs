use std::collections::HashMap;

use evermesh_pins::sys;

use super::state::ServiceState;

/// The service ports that stand in the tables, each in the place of its id, and found by its digest.
#[derive(Clone, Debug)]
pub(super) struct Services {
    by_id: Vec<Option<ServiceState>>,
    ids: HashMap<u64, u32>,
}

impl Services {
    /// For ids below `ids`.
    pub fn new(ids: u32) -> Self {
        Self { by_id: sys::with_huge_pages(ids as usize), ids: HashMap::new() }
    }

    pub fn get(&self, digest: u64) -> Option<&ServiceState> {
        self.of_id(*self.ids.get(&digest)?)
    }

    pub fn of_id(&self, id: u32) -> Option<&ServiceState> {
        self.by_id.get(id as usize)?.as_ref()
    }

    pub fn of_id_mut(&mut self, id: u32) -> Option<&mut ServiceState> {
        self.by_id.get_mut(id as usize)?.as_mut()
    }

    /// In the place of whatever has the same digest.
    pub fn insert(&mut self, service: ServiceState) {
        if let Some(other) = self.ids.insert(service.meta.digest, service.id) {
            self.by_id[other as usize] = None;
        }
        let at = service.id as usize;
        if self.by_id.len() <= at {
            self.by_id.resize(at + 1, None);
        }
        self.by_id[at] = Some(service);
    }

    pub fn remove(&mut self, digest: u64) -> Option<ServiceState> {
        self.by_id.get_mut(self.ids.remove(&digest)? as usize)?.take()
    }

    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn digests(&self) -> impl Iterator<Item = u64> {
        self.ids.keys().copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = &ServiceState> {
        self.by_id.iter().flatten()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut ServiceState> {
        self.by_id.iter_mut().flatten()
    }

    /// In the order of their digests.
    pub fn by_digest(&self) -> impl Iterator<Item = &ServiceState> {
        let mut sorted: Vec<_> = self.iter().collect();
        sorted.sort_unstable_by_key(|service| service.meta.digest);
        sorted.into_iter()
    }
}
