use std::collections::{BTreeMap, BTreeSet, HashMap};

use evermesh_abi::{Address, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_model::ServiceKey;
use evermesh_pins::Table;
use hashbrown::HashTable;
use smallvec::SmallVec;

use super::{Store, id_pool::IdPool, records::Records, services::Services, slot_pool::SlotPool};
use crate::{
    TableSizes,
    lower::{Lowered, MemberChange, Weighing},
};

/// What stands in the tables, as the planner needs it: who has which id, what is free, what waits for a
/// barrier before it may be used again.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) services: Services,
    /// Those of members only.
    pub(super) endpoints: Records,
    /// All keys of `frontends`, the known addresses apart.
    pub(super) frontends: BTreeMap<FrontendKey, FrontendValue>,
    /// Known addresses.
    pub(super) addresses: BTreeSet<Address>,
    /// Which digests and addresses each service of the model was lowered to; empty after adoption.
    pub(super) lowered: HashMap<ServiceKey, Footprint>,
    /// What was found that belongs to nothing, to be cleared by the next plan.
    pub(super) strays: Vec<Store>,
    pub(super) service_ids: IdPool,
    pub(super) endpoint_ids: IdPool,
    pub(super) slots: SlotPool,
    pub(super) retired: Retired,
    /// Services that a key has left, and in which plan, until a barrier: they are not changed before it.
    pub(super) left: BTreeMap<u32, u64>,
    /// How many plans there were.
    pub(super) plans: u64,
    pub(super) frontend_limit: u32,
}

/// What the tables hold for one service port.
#[derive(Clone, Debug)]
pub struct ServiceState {
    pub id: u32,
    pub meta: ServiceMeta,
    pub word: ServiceWord,
    /// Endpoint ids in slot order; an endpoint that weighs more stands there more than once.
    pub slots: Vec<u32>,
    /// Endpoints that have no slot and keep the flows they have.
    pub idle: Vec<u32>,
    /// Slots or word are not what they should be, or nobody knows: they are written anew, the slots elsewhere.
    pub broken: bool,
    /// How its endpoints weigh.
    pub weighing: Weighing,
    /// Ids by their workloads' digests, made when a service of many endpoints is changed one by one. Few have one.
    pub index: Option<Box<HashTable<u32>>>,
}

impl ServiceState {
    /// A service that nothing is written for yet. The word may be that of whoever had the id before.
    pub fn new(id: u32) -> Self {
        Self {
            id,
            meta: ServiceMeta::default(),
            word: ServiceWord::EMPTY,
            slots: Vec::new(),
            idle: Vec::new(),
            broken: true,
            weighing: Weighing::Unknown,
            index: None,
        }
    }

    /// Each endpoint once.
    pub fn members(&self) -> Vec<u32> {
        let mut members: Vec<u32> = self.slots.iter().chain(&self.idle).copied().collect();
        members.sort_unstable();
        members.dedup();
        members
    }

    /// Of members that take other slots than before: who has none by now, and who is none any more.
    pub fn lay_idle(&mut self, targets: &[(u32, u32)], gone: &[u32]) {
        for id in targets.iter().map(|(id, _)| id).chain(gone) {
            if let Some(at) = self.idle.iter().position(|idle| idle == id) {
                self.idle.swap_remove(at);
            }
        }
        self.idle.extend(targets.iter().filter(|(_, slots)| *slots == 0).map(|(id, _)| *id));
    }
}

/// What a service of the model occupies.
#[derive(Clone, Debug, Default)]
pub struct Footprint {
    pub digests: SmallVec<[u64; 1]>,
    pub frontends: SmallVec<[FrontendKey; 1]>,
    pub addresses: SmallVec<[Address; 1]>,
}

impl Footprint {
    /// Of a service that was lowered to this.
    pub fn of(Lowered { ports, addresses }: &Lowered) -> Self {
        Self {
            digests: ports.iter().map(|port| port.meta.digest).collect(),
            frontends: ports.iter().flat_map(|port| port.frontends.iter().copied()).collect(),
            addresses: addresses.as_slice().into(),
        }
    }
}

/// What nothing in the tables refers to any more, but a program run that began earlier may still hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    pub(super) services: Vec<u32>,
    pub(super) endpoints: Vec<u32>,
    /// First slot and count.
    pub(super) slots: Vec<(u32, u32)>,
    /// The last plan, if keys have left services that stand.
    pub(super) left: Option<u64>,
}

impl Retired {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.endpoints.is_empty() && self.slots.is_empty() && self.left.is_none()
    }
}

impl State {
    /// The state of empty tables.
    pub fn empty(sizes: TableSizes) -> Self {
        Self {
            services: Services::new(sizes.entries(Table::Services)),
            endpoints: Records::new(sizes.entries(Table::Endpoints)),
            frontends: BTreeMap::new(),
            addresses: BTreeSet::new(),
            lowered: HashMap::new(),
            strays: Vec::new(),
            service_ids: IdPool::new(sizes.entries(Table::Services), |_| false),
            endpoint_ids: IdPool::new(sizes.entries(Table::Endpoints), |_| false),
            slots: SlotPool::new(sizes.entries(Table::Slots)),
            retired: Retired::default(),
            left: BTreeMap::new(),
            plans: 0,
            frontend_limit: sizes.entries(Table::Frontends),
        }
    }

    /// Service ports that stand in the tables.
    pub fn service_count(&self) -> usize {
        self.services.len()
    }

    /// Endpoints that stand in the tables.
    pub fn endpoint_count(&self) -> usize {
        self.endpoints.len()
    }

    /// How the endpoints of a service port weigh.
    pub fn weighing(&self, digest: u64) -> &Weighing {
        self.services.get(digest).map_or(&Weighing::Unknown, |service| &service.weighing)
    }

    /// Whether some endpoints of a service port are left, where none could mean that flows are left alone; and as many slots as is
    /// thought, where endpoints take turns.
    pub fn may_change(&self, change: &MemberChange) -> bool {
        let service = self.services.get(change.digest);
        let draining = change.wanted.iter().filter(|one| one.slots == 0);
        let leaving = change.gone.len() + draining.count();
        let keeps_some = |service: &ServiceState| service.slots.len() > leaving;
        let has_turns = |service: &ServiceState| service.slots.len() == change.turns.slots();
        (!change.may_pass || service.is_some_and(keeps_some))
            && (change.turns.is_empty() || service.is_some_and(has_turns))
    }

    /// Takes what waits for a barrier. After one, hand it to [`Self::reuse`].
    pub fn take_retired(&mut self) -> Retired {
        let left = (!self.left.is_empty()).then_some(self.plans);
        Retired { left, ..std::mem::take(&mut self.retired) }
    }

    /// A barrier has passed since `retired` was taken: it may be used again.
    pub fn reuse(&mut self, retired: Retired) {
        self.service_ids.give_back(&retired.services);
        self.endpoint_ids.give_back(&retired.endpoints);
        for (start, count) in retired.slots {
            self.slots.give_back(start, count);
        }
        if let Some(until) = retired.left {
            self.left.retain(|_, plan| *plan > until);
        }
    }

    /// The key is about to lead elsewhere.
    pub(super) fn leave(&mut self, key: &FrontendKey) {
        if let Some(value) = self.frontends.get(key) {
            self.left.insert(value.service(), self.plans);
        }
    }

    /// For tables that no program runs on: what waits for a barrier may be used again.
    pub fn reuse_at_once(&mut self) {
        let retired = self.take_retired();
        self.reuse(retired);
    }

    /// The smallest sizes in which every id and slot in use keeps its place.
    pub fn sizes_in_use(&self) -> TableSizes {
        let last_slot = |s: &ServiceState| s.word.offset() + SlotPool::capacity(s.word.count());
        let slots = self.services.iter().map(last_slot).max().unwrap_or(0);
        let keys = u32::try_from(self.frontends.len() + self.addresses.len()).unwrap_or(u32::MAX);
        TableSizes {
            services: (self.service_ids.high_water() - 1).max(keys.div_ceil(4)),
            endpoints: (self.endpoint_ids.high_water() - 1).max(slots.div_ceil(3)),
            origins: 0,
            udp_origins: 0,
            pods: 0,
        }
    }

    /// This state in tables of other sizes, none below [what is in use](Self::sizes_in_use); ids and slots keep their places.
    pub fn resize(&mut self, sizes: TableSizes) {
        self.service_ids.resize(sizes.entries(Table::Services));
        self.endpoint_ids.resize(sizes.entries(Table::Endpoints));
        self.slots.resize(sizes.entries(Table::Slots));
        self.frontend_limit = sizes.entries(Table::Frontends);
    }

    /// The stores that make empty tables hold this state.
    pub fn as_stores(&self) -> Vec<Store> {
        let mut stores = Vec::new();
        stores.extend(self.endpoints.iter().map(|(id, &record)| Store::Endpoint { id, record }));
        for service in self.services.by_digest() {
            stores.push(Store::ServiceMeta { id: service.id, meta: service.meta });
            if service.broken {
                continue;
            }
            let slots = (service.word.offset()..).zip(&service.slots);
            stores.extend(slots.map(|(slot, &endpoint)| Store::Slot { slot, endpoint }));
            stores.push(Store::Service { id: service.id, word: service.word });
        }
        stores.extend(self.frontends.iter().map(|(&key, &value)| Store::SetFrontend { key, value }));
        stores.extend(self.addresses.iter().map(|&address| known(address)));
        stores
    }
}

/// The store that marks an address as known.
pub(super) fn known(address: Address) -> Store {
    let key = FrontendKey::known_address(address);
    Store::SetFrontend { key, value: FrontendValue::new(0, &key) }
}
