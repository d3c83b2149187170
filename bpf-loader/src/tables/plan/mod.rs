use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    mem,
};

use evermesh_abi::{Address, FrontendKey, FrontendValue, ServiceMeta};
use evermesh_model::{Delta, Place, ServiceKey, Snapshot};
use evermesh_pins::Table;

use super::{
    State, Store,
    state::{Footprint, ServiceState, known},
};
use crate::lower::{Lowered, LoweredPort, MemberChange, lower, lower_members};

mod ahead;
mod aside;
mod exchange;
mod layout;
mod maglev;
mod members;
mod turns;

use ahead::made_ahead;
pub(super) use layout::{Weighted, slots};

/// What the tables should hold from now on.
pub enum Change<'a> {
    /// Exactly the snapshot, for a node at this place; whatever else stands there goes. Each service is lowered when its turn
    /// comes.
    Everything(&'a Snapshot, &'a Place),
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
        Self::Everything(snapshot, place)
    }

    /// What leads from the snapshot that `state` holds to `after`, given what differs between the two.
    pub fn of(state: &State, delta: Delta, after: &Snapshot, place: &Place) -> Self {
        let (mut services, mut members) = (BTreeMap::new(), Vec::new());
        for key in delta.changed {
            let service = after.service(&key);
            let replaced = delta.members.get(&key);
            let changes = service.zip(replaced).and_then(|(service, replaced)| {
                let weighing = |digest| state.weighing(digest);
                lower_members(service, |part| after.members_within(&key, part), place, replaced, weighing)
            });
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
/// meaning what it meant or what it will: keys that go or step aside first of all, records before
/// slots, slots before the service's word, words before names, services before their keys, and services that no key leads to last.
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
    state.plans += 1;
    let mut plan = Plan { stores: mem::take(&mut state.strays), ..Plan::default() };
    let (wanted, members, mut gone) = match change {
        Change::Everything(snapshot, place) => (Wanted::All(snapshot, place), Vec::new(), everything(state)),
        Change::Services { services, members } => {
            let gone = some(state, services.keys());
            let lowered = services.into_iter().filter_map(|(key, lowered)| Some((key, lowered?)));
            (Wanted::These(lowered.collect()), members, gone)
        }
    };
    let wanted = match gone.is_empty() {
        true => wanted,
        false => {
            let services = wanted.all();
            services.iter().for_each(|(_, lowered)| gone.keep(lowered));
            plan.remove_frontends(state, &gone);
            aside::step_aside(&mut plan, state, &services, &mut gone);
            Wanted::These(services)
        }
    };
    for change in members {
        plan.members(state, change)?;
    }
    let mut addresses = Vec::new();
    wanted.each(|(key, lowered)| {
        if plan.stores.len() >= PART {
            perform(&plan.stores)?;
            plan.stores.clear();
        }
        plan.service(state, lowered)?;
        addresses.extend_from_slice(&lowered.addresses);
        state.lowered.insert(mem::take(key), Footprint::of(lowered));
        Ok::<_, E>(())
    })?;
    plan.frontends(state, addresses)?;
    for digest in gone.digests {
        plan.dismantle(state, digest);
    }
    plan.stores.append(&mut plan.retire);
    perform(&plan.stores)
}

/// Stores that are performed together: few enough to stay in a processor's cache.
const PART: usize = 2048;

/// Services that are to be as given.
enum Wanted<'a> {
    These(Vec<(ServiceKey, Lowered)>),
    /// All of the snapshot, for a node at this place.
    All(&'a Snapshot, &'a Place),
}

impl Wanted<'_> {
    /// Calls `each` with one after the other.
    fn each<E>(self, mut each: impl FnMut(&mut (ServiceKey, Lowered)) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::These(services) => services.into_iter().try_for_each(|mut service| each(&mut service)),
            Self::All(snapshot, place) => made_ahead(
                snapshot.services_with_members(),
                |(service, members)| (service.key.clone(), lower(service, members, place)),
                each,
            ),
        }
    }

    fn all(self) -> Vec<(ServiceKey, Lowered)> {
        let mut all = Vec::new();
        let Ok(()) = self.each(|service| {
            all.push(mem::take(service));
            Ok::<_, Infallible>(())
        });
        all
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

fn some<'a>(state: &mut State, services: impl Iterator<Item = &'a ServiceKey>) -> Gone {
    let mut gone = Gone::default();
    for footprint in services.filter_map(|key| state.lowered.remove(key)) {
        gone.add(&footprint);
    }
    gone
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
    fn service(&mut self, state: &mut State, lowered: &Lowered) -> Result<(), Full> {
        for port in &lowered.ports {
            let id = self.port(state, port)?;
            self.frontends.extend(port.frontends.iter().map(|key| (*key, FrontendValue::new(id, key))));
        }
        Ok(())
    }

    fn port(&mut self, state: &mut State, port: &LoweredPort) -> Result<u32, Full> {
        let mut service = match state.services.remove(port.meta.digest) {
            Some(service) => service,
            None => ServiceState::new(state.service_ids.take().ok_or(Full::of(Table::Services))?),
        };
        let (id, before) = (service.id, self.stores.len());
        members::update(self, state, &mut service, port)?;
        self.wait_before(state, id, before);
        if service.meta != port.meta {
            service.meta = port.meta;
            self.stores.push(Store::ServiceMeta { id, meta: port.meta });
        }
        state.services.insert(service);
        Ok(id)
    }

    fn members(&mut self, state: &mut State, change: MemberChange) -> Result<(), Full> {
        let Some(mut service) = state.services.remove(change.digest) else { return Ok(()) };
        let (id, before) = (service.id, self.stores.len());
        members::change(self, state, &mut service, change)?;
        self.wait_before(state, id, before);
        state.services.insert(service);
        Ok(())
    }

    /// Before what is stored from there on, where it changes a service that a key has left.
    fn wait_before(&mut self, state: &mut State, service: u32, at: usize) {
        if self.stores.len() > at && state.left.contains_key(&service) {
            self.stores.insert(at, Store::Barrier);
            state.left.clear();
        }
    }

    /// Each key once: keys may be set in any order.
    fn frontends(&mut self, state: &mut State, addresses: Vec<Address>) -> Result<(), Full> {
        let wanted: BTreeMap<_, _> = mem::take(&mut self.frontends).into_iter().collect();
        for (&key, &value) in &wanted {
            if state.frontends.get(&key) != Some(&value) {
                state.leave(&key);
                self.stores.push(Store::SetFrontend { key, value });
            }
        }
        // Where there are none yet, those that were sorted already stay as they are.
        match state.frontends.is_empty() {
            true => state.frontends = wanted,
            false => state.frontends.extend(wanted),
        }
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
            state.leave(&key);
            if state.frontends.remove(&key).is_some() {
                self.stores.push(Store::RemoveFrontend { key });
            }
        }
    }

    /// No key leads to this service any more. Its word stays until the id is another service's: a program run that found the key
    /// before may be about to read it.
    fn dismantle(&mut self, state: &mut State, digest: u64) {
        let Some(service) = state.services.remove(digest) else { return };
        let (id, word) = (service.id, service.word);
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
