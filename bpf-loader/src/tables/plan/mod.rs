use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use evermesh_abi::{Address, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_model::{Delta, Place, ServiceKey, Snapshot};
use evermesh_pins::Table;

use super::{
    State, Store,
    state::{Footprint, ServiceState, known},
};
use crate::lower::{Lowered, LoweredPort, MemberChange, lower, lower_all, lower_members};

mod ahead;
mod layout;
mod maglev;
mod members;

use ahead::made_ahead;
pub(super) use layout::{Weighted, slots};

/// What the tables should hold from now on.
pub enum Change<'a> {
    /// Exactly this; whatever else stands there goes. Each service is lowered when its turn comes.
    Everything(Box<dyn Iterator<Item = (ServiceKey, Lowered)> + Send + 'a>),
    /// Only this; all else stays.
    Services {
        /// Services that are as given, or gone where nothing is given.
        services: BTreeMap<ServiceKey, Option<Lowered>>,
        /// Changes of service ports that can be made one by one ([`State::may_change`]).
        members: Vec<MemberChange>,
    },
}

impl<'a> Change<'a> {
    /// All of a snapshot, for a node at this place.
    pub fn everything(snapshot: &'a Snapshot, place: &'a Place) -> Self {
        Self::Everything(Box::new(lower_all(snapshot, place)))
    }

    /// What leads from the snapshot that `state` holds to `after`, given what differs between the two.
    pub fn of(state: &State, delta: Delta, after: &Snapshot, place: &Place) -> Self {
        let (mut services, mut members) = (BTreeMap::new(), Vec::new());
        for key in delta.changed {
            let service = after.service(&key);
            let replaced = delta.members.get(&key);
            let changes =
                service.zip(replaced).and_then(|(service, replaced)| lower_members(service, replaced));
            match changes.filter(|all| all.iter().all(|one| state.may_change(one))) {
                Some(changes) => members.extend(changes),
                None => {
                    let lowered = service.map(|service| lower(service, after.members(&key), place));
                    services.insert(key, lowered);
                }
            }
        }
        services.extend(delta.removed.into_iter().map(|key| (key, None)));
        Self::Services { services, members }
    }
}

/// A table has no room for the change. The state that was planned on is spoiled: adopt the tables anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table `{table}` is full: {hint}")]
pub struct Full {
    /// Which one.
    pub table: Table,
    /// What to do.
    pub hint: &'static str,
}

impl Full {
    fn of(table: Table) -> Self {
        let hint = match table {
            Table::Endpoints | Table::Slots => "raise --max-endpoints",
            _ => "raise --max-services",
        };
        Self { table, hint }
    }
}

/// The stores that lead from `state` to `change`, in an order in which every prefix leaves each destination
/// meaning what it meant or what it will: keys that go first of all, records before slots, slots before the service's
/// word, services before their keys, and services that no key leads to last.
pub fn plan(state: &mut State, change: Change<'_>) -> Result<Vec<Store>, Full> {
    let mut stores = Vec::new();
    plan_in_parts(state, change, |part| {
        stores.extend_from_slice(part);
        Ok::<_, Full>(())
    })?;
    Ok(stores)
}

/// Like [`plan`], but each part is performed when it is planned: quicker, and for tables that nothing runs on yet, since a
/// table that turns out to be full has been changed by then.
pub fn plan_in_parts<E: From<Full>>(
    state: &mut State,
    change: Change<'_>,
    mut perform: impl FnMut(&[Store]) -> Result<(), E>,
) -> Result<(), E> {
    let mut plan = Plan { stores: mem::take(&mut state.strays), ..Plan::default() };
    let (services, members, mut gone) = match change {
        Change::Everything(services) => (services, Vec::new(), everything(state)),
        Change::Services { services, members } => {
            let (services, gone) = some(state, services);
            (services, members, gone)
        }
    };
    let services = match gone.is_empty() {
        true => services,
        false => {
            let services: Vec<_> = services.collect();
            services.iter().for_each(|(_, lowered)| gone.keep(lowered));
            plan.remove_frontends(state, &gone);
            Box::new(services.into_iter())
        }
    };
    for change in &members {
        plan.members(state, change)?;
    }
    let (mut addresses, mut footprints) = (Vec::new(), Vec::with_capacity(services.size_hint().0));
    made_ahead(services, |(key, lowered)| {
        if plan.stores.len() >= PART {
            perform(&plan.stores)?;
            plan.stores.clear();
        }
        let footprint = plan.service(state, lowered)?;
        addresses.extend(&footprint.addresses);
        footprints.push((mem::take(key), footprint));
        Ok::<_, E>(())
    })?;
    put_all(&mut state.lowered, footprints.into_iter().collect());
    plan.frontends(state, addresses)?;
    for digest in gone.digests {
        plan.dismantle(state, digest);
    }
    plan.stores.append(&mut plan.retire);
    perform(&plan.stores)
}

/// Stores that are performed together: few enough to stay in a processor's cache.
const PART: usize = 2048;

/// Where there are none yet, those that were sorted already stay as they are.
fn put_all<K: Ord, V>(map: &mut BTreeMap<K, V>, entries: BTreeMap<K, V>) {
    match map.is_empty() {
        true => *map = entries,
        false => map.extend(entries),
    }
}

/// What is to go, less what is wanted after all.
#[derive(Default)]
struct Gone {
    digests: BTreeSet<u64>,
    frontends: BTreeSet<FrontendKey>,
    addresses: BTreeSet<Address>,
}

impl Gone {
    fn add(&mut self, footprint: &Footprint) {
        self.digests.extend(&footprint.digests);
        self.frontends.extend(&footprint.frontends);
        self.addresses.extend(&footprint.addresses);
    }

    fn keep(&mut self, wanted: &Lowered) {
        for port in &wanted.ports {
            self.digests.remove(&port.meta.digest);
            for key in &port.frontends {
                self.frontends.remove(key);
            }
        }
        for address in &wanted.addresses {
            self.addresses.remove(address);
        }
    }

    fn is_empty(&self) -> bool {
        self.digests.is_empty() && self.frontends.is_empty() && self.addresses.is_empty()
    }
}

fn everything(state: &mut State) -> Gone {
    state.lowered.clear();
    Gone {
        digests: state.services.digests().collect(),
        frontends: state.frontends.keys().copied().collect(),
        addresses: state.addresses.clone(),
    }
}

fn some(
    state: &mut State,
    services: BTreeMap<ServiceKey, Option<Lowered>>,
) -> (Box<dyn Iterator<Item = (ServiceKey, Lowered)> + Send>, Gone) {
    let mut gone = Gone::default();
    for key in services.keys() {
        if let Some(footprint) = state.lowered.remove(key) {
            gone.add(&footprint);
        }
    }
    (Box::new(services.into_iter().filter_map(|(key, lowered)| Some((key, lowered?)))), gone)
}

/// The stores so far.
#[derive(Default)]
struct Plan {
    stores: Vec<Store>,
    /// Marks on records that left their slots; last of all, so that a flow is told to move only when new flows
    /// already do.
    retire: Vec<Store>,
    frontends: Vec<(FrontendKey, FrontendValue)>,
}

impl Plan {
    fn service(&mut self, state: &mut State, lowered: &Lowered) -> Result<Footprint, Full> {
        let mut footprint =
            Footprint { addresses: lowered.addresses.as_slice().into(), ..Footprint::default() };
        for port in &lowered.ports {
            let id = self.port(state, port)?;
            self.frontends.extend(port.frontends.iter().map(|key| (*key, FrontendValue::new(id, key))));
            footprint.digests.push(port.meta.digest);
            footprint.frontends.extend(port.frontends.iter().copied());
        }
        Ok(footprint)
    }

    fn port(&mut self, state: &mut State, port: &LoweredPort) -> Result<u32, Full> {
        let mut service = match state.services.remove(port.meta.digest) {
            Some(service) => service,
            None => ServiceState::new(state.service_ids.take().ok_or(Full::of(Table::Services))?),
        };
        if service.meta != port.meta {
            service.meta = port.meta;
            self.stores.push(Store::ServiceMeta { id: service.id, meta: port.meta });
        }
        members::update(self, state, &mut service, port)?;
        let id = service.id;
        state.services.insert(service);
        Ok(id)
    }

    fn members(&mut self, state: &mut State, change: &MemberChange) -> Result<(), Full> {
        let Some(mut service) = state.services.remove(change.digest) else { return Ok(()) };
        members::change(self, state, &mut service, change)?;
        state.services.insert(service);
        Ok(())
    }

    /// Each key once: keys may be set in any order.
    fn frontends(&mut self, state: &mut State, addresses: Vec<Address>) -> Result<(), Full> {
        let wanted: BTreeMap<_, _> = mem::take(&mut self.frontends).into_iter().collect();
        let is_new = |(key, value): &(&FrontendKey, &FrontendValue)| state.frontends.get(key) != Some(value);
        let new = wanted.iter().filter(is_new).map(|(&key, &value)| Store::SetFrontend { key, value });
        self.stores.extend(new);
        put_all(&mut state.frontends, wanted);
        let addresses: BTreeSet<_> = addresses.into_iter().collect();
        self.stores.extend(addresses.difference(&state.addresses).copied().map(known));
        match state.addresses.is_empty() {
            true => state.addresses = addresses,
            false => state.addresses.extend(addresses),
        }
        if state.frontends.len() + state.addresses.len() > state.frontend_limit as usize {
            return Err(Full::of(Table::Frontends));
        }
        Ok(())
    }

    /// The mark of a known address goes before the keys: a port that is going is refused by neither.
    fn remove_frontends(&mut self, state: &mut State, gone: &Gone) {
        for &address in &gone.addresses {
            if state.addresses.remove(&address) {
                self.stores.push(Store::RemoveFrontend { key: FrontendKey::known_address(address) });
            }
        }
        for &key in &gone.frontends {
            if state.frontends.remove(&key).is_some() {
                self.stores.push(Store::RemoveFrontend { key });
            }
        }
    }

    /// No key leads to this service any more.
    fn dismantle(&mut self, state: &mut State, digest: u64) {
        let Some(service) = state.services.remove(digest) else { return };
        let (id, word) = (service.id, service.word);
        self.stores.push(Store::Service { id, word: ServiceWord::EMPTY });
        self.stores.push(Store::ServiceMeta { id, meta: ServiceMeta::default() });
        for endpoint in service.members() {
            self.retire_endpoint(state, endpoint);
        }
        state.retired.services.push(id);
        state.retired.slots.push((word.offset(), word.count()));
    }

    fn retire_endpoint(&mut self, state: &mut State, id: u32) {
        state.endpoints.remove(id);
        state.retired.endpoints.push(id);
        self.retire.push(Store::RetireEndpoint { id });
    }
}
