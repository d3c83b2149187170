use std::collections::BTreeMap;

use evermesh_abi::{Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_pins::{Table, TableEntries, TablesView};

use super::Store;
use crate::TableSizes;

/// Tables that can be read: those in the kernel, or an image of them in memory.
pub trait TableRead {
    /// How many elements each table has.
    fn entries(&self) -> TableEntries;
    /// Which slots a service has.
    fn service(&self, id: u32) -> Option<ServiceWord>;
    /// What changes seldom about a service.
    fn service_meta(&self, id: u32) -> Option<ServiceMeta>;
    /// The endpoint id in a slot.
    fn slot(&self, slot: u32) -> Option<u64>;
    /// The record of an endpoint.
    fn endpoint(&self, id: u32) -> Option<Endpoint>;
    /// All elements of `frontends`.
    fn frontends(&self) -> Vec<(FrontendKey, FrontendValue)>;
}

impl TableRead for TablesView {
    fn entries(&self) -> TableEntries {
        self.entries()
    }

    fn service(&self, id: u32) -> Option<ServiceWord> {
        self.service(id)
    }

    fn service_meta(&self, id: u32) -> Option<ServiceMeta> {
        self.service_meta(id)
    }

    fn slot(&self, slot: u32) -> Option<u64> {
        self.slot(slot)
    }

    fn endpoint(&self, id: u32) -> Option<Endpoint> {
        self.endpoint(id)
    }

    fn frontends(&self) -> Vec<(FrontendKey, FrontendValue)> {
        self.frontends.iter().map(|entry| (entry.key, entry.value)).collect()
    }
}

/// An image of the tables in memory, on which a plan can be tried store by store.
#[derive(Clone, Debug)]
pub struct MemoryTables {
    entries: TableEntries,
    services: Vec<ServiceWord>,
    service_meta: Vec<ServiceMeta>,
    slots: Vec<u64>,
    endpoints: Vec<Endpoint>,
    frontends: BTreeMap<FrontendKey, FrontendValue>,
}

impl MemoryTables {
    /// Empty tables of these sizes.
    pub fn new(sizes: TableSizes) -> Self {
        let len = |table| sizes.entries(table) as usize;
        Self {
            entries: sizes.all(),
            services: vec![ServiceWord::EMPTY; len(Table::Services)],
            service_meta: vec![ServiceMeta::default(); len(Table::ServiceMeta)],
            slots: vec![0; len(Table::Slots)],
            endpoints: vec![Endpoint::default(); len(Table::Endpoints)],
            frontends: BTreeMap::new(),
        }
    }

    /// Performs one store; `false` beyond the end of a table.
    pub fn store(&mut self, store: &Store) -> bool {
        match *store {
            Store::ServiceMeta { id, meta } => set(&mut self.service_meta, id, meta),
            Store::Endpoint { id, record } => set(&mut self.endpoints, id, record),
            Store::RetireEndpoint { id } => {
                self.endpoints.get_mut(id as usize).map(|record| record.service = 0).is_some()
            }
            Store::Slot { slot, endpoint } => set(&mut self.slots, slot, endpoint.into()),
            Store::Service { id, word } => set(&mut self.services, id, word),
            Store::SetFrontend { key, value } => {
                let room = self.frontends.len() < self.entries.frontends as usize;
                let fits = room || self.frontends.contains_key(&key);
                fits.then(|| self.frontends.insert(key, value)).is_some()
            }
            Store::RemoveFrontend { key } => self.frontends.remove(&key).is_some(),
            Store::Barrier => true,
        }
    }
}

fn set<T>(elements: &mut [T], index: u32, value: T) -> bool {
    elements.get_mut(index as usize).map(|element| *element = value).is_some()
}

impl TableRead for MemoryTables {
    fn entries(&self) -> TableEntries {
        self.entries
    }

    fn service(&self, id: u32) -> Option<ServiceWord> {
        self.services.get(id as usize).copied()
    }

    fn service_meta(&self, id: u32) -> Option<ServiceMeta> {
        self.service_meta.get(id as usize).copied()
    }

    fn slot(&self, slot: u32) -> Option<u64> {
        self.slots.get(slot as usize).copied()
    }

    fn endpoint(&self, id: u32) -> Option<Endpoint> {
        self.endpoints.get(id as usize).copied()
    }

    fn frontends(&self) -> Vec<(FrontendKey, FrontendValue)> {
        self.frontends.iter().map(|(key, value)| (*key, *value)).collect()
    }
}
