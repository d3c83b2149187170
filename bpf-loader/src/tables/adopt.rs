use std::collections::{BTreeMap, BTreeSet, HashMap};

use evermesh_abi::{Address, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_pins::TableEntries;

use super::{
    State, Store, TableRead,
    id_pool::IdPool,
    records::Records,
    services::Services,
    slot_pool::SlotPool,
    state::{Retired, ServiceState},
};

/// Reads the state back from the tables. Whatever belongs to nothing becomes a stray, to be cleared by the
/// next plan; a service whose slots make no sense is written anew by it.
///
/// Ids and slots that nothing refers to count as free, so a barrier must pass before the first store.
pub fn adopt(tables: &impl TableRead) -> State {
    let mut adoption = Adoption::new(tables);
    let entries = tables.entries();
    for id in 1..entries.services {
        adoption.service(id);
    }
    adoption.frontends();
    adoption.endpoints_without_slot(entries.endpoints);
    adoption.finish(entries)
}

struct Adoption<'a, T> {
    tables: &'a T,
    slots: SlotPool,
    services: Services,
    /// The service of each endpoint, by their ids; 0: none.
    owners: Vec<u32>,
    frontends: BTreeMap<FrontendKey, FrontendValue>,
    addresses: BTreeSet<Address>,
    strays: Vec<Store>,
}

impl<'a, T: TableRead> Adoption<'a, T> {
    fn new(tables: &'a T) -> Self {
        Self {
            tables,
            slots: SlotPool::new(tables.entries().slots),
            services: Services::new(tables.entries().services),
            owners: vec![0; tables.entries().endpoints as usize],
            frontends: BTreeMap::new(),
            addresses: BTreeSet::new(),
            strays: Vec::new(),
        }
    }

    /// Without a name an id is free, whatever its word says.
    fn service(&mut self, id: u32) {
        let meta = self.tables.service_meta(id).unwrap_or_default();
        if meta.digest == 0 || self.services.get(meta.digest).is_some() {
            if meta != ServiceMeta::default() {
                self.strays.push(Store::ServiceMeta { id, meta: ServiceMeta::default() });
            }
            return;
        }
        let word = self.tables.service(id).unwrap_or_default();
        let end = word.offset().saturating_add(word.count());
        let found: Vec<Option<u32>> = (word.offset()..end).map(|slot| self.member(id, slot)).collect();
        let slots: Vec<u32> = found.iter().flatten().copied().collect();
        let reserved = self.slots.reserve(word.offset(), word.count());
        if !reserved {
            self.others_with(word).for_each(|other| other.broken = true);
        }
        let broken = !reserved || slots.len() != found.len();
        let word = if reserved { word } else { ServiceWord::EMPTY };
        slots.iter().for_each(|&endpoint| self.own(endpoint, id));
        self.services.insert(ServiceState { meta, word, slots, broken, ..ServiceState::new(id) });
    }

    /// Services that have some of these slots: whichever changed them would change them for both.
    fn others_with(&mut self, word: ServiceWord) -> impl Iterator<Item = &mut ServiceState> {
        let end = |word: ServiceWord| word.offset().saturating_add(word.count());
        let meets = move |other: ServiceWord| other.offset() < end(word) && word.offset() < end(other);
        self.services.iter_mut().filter(move |other| meets(other.word))
    }

    /// `None`: beyond the table, or no endpoint of this service.
    fn member(&self, service: u32, slot: u32) -> Option<u32> {
        let id = u32::try_from(self.tables.slot(slot)?).ok()?;
        let record = self.tables.endpoint(id)?;
        (record.service == service && record.port != 0).then_some(id)
    }

    fn frontends(&mut self) {
        for (key, value) in self.tables.frontends() {
            let marker = key == FrontendKey::known_address(key.address);
            let leads =
                if marker { value.service() == 0 } else { self.services.of_id(value.service()).is_some() };
            match (leads && value.belongs_to(&key), marker) {
                (false, _) => self.strays.push(Store::RemoveFrontend { key }),
                (true, true) => drop(self.addresses.insert(key.address)),
                (true, false) => drop(self.frontends.insert(key, value)),
            }
        }
    }

    /// Records without a slot: of a service they are idle, else they are strays.
    fn endpoints_without_slot(&mut self, endpoints: u32) {
        for id in 1..endpoints {
            let owner = self.tables.endpoint(id).map_or(0, |record| record.service);
            if owner == 0 || self.is_owned(id) {
                continue;
            }
            match self.services.of_id_mut(owner) {
                Some(service) => {
                    service.idle.push(id);
                    self.own(id, owner);
                }
                None => self.strays.push(Store::RetireEndpoint { id }),
            }
        }
    }

    fn own(&mut self, endpoint: u32, service: u32) {
        if let Some(owner) = self.owners.get_mut(endpoint as usize) {
            *owner = service;
        }
    }

    fn is_owned(&self, endpoint: u32) -> bool {
        self.owners.get(endpoint as usize).is_some_and(|owner| *owner != 0)
    }

    fn finish(self, entries: TableEntries) -> State {
        let mut endpoints = Records::new(entries.endpoints);
        for id in (0..entries.endpoints).filter(|id| self.is_owned(*id)) {
            endpoints.insert(id, self.tables.endpoint(id).unwrap_or_default());
        }
        State {
            endpoints,
            service_ids: IdPool::new(entries.services, |id| self.services.of_id(id).is_some()),
            endpoint_ids: IdPool::new(entries.endpoints, |id| self.is_owned(id)),
            services: self.services,
            frontends: self.frontends,
            addresses: self.addresses,
            lowered: HashMap::new(),
            strays: self.strays,
            slots: self.slots,
            retired: Retired::default(),
            left: BTreeMap::new(),
            plans: 0,
            frontend_limit: entries.frontends,
        }
    }
}
