//! How the endpoint set of one service changes.

use std::collections::BTreeMap;

use evermesh_abi::{ALGORITHM_MAGLEV, ALGORITHM_NONE, Endpoint, ServiceWord};
use evermesh_pins::Table;

use super::{
    super::{State, Store, slot_pool::SlotPool, state::ServiceState},
    Full, Plan,
    layout::{self, Weighted},
};
use crate::lower::{LoweredEndpoint, LoweredPort, MemberChange};

/// Leads the service's slots to what is wanted. Where all endpoints weigh the same, one that comes, goes or is replaced takes
/// one or two stores in place; anything else is laid out elsewhere and taken over by the one store of the service's
/// word.
pub(super) fn update(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    wanted: &LoweredPort,
) -> Result<(), Full> {
    service.index = None;
    service.weigh_one = wanted.weigh_one;
    let taking = wanted.endpoints.iter().position(|one| one.slots == 0).unwrap_or(wanted.endpoints.len());
    let (taking, keeping) = wanted.endpoints.split_at(taking);
    let equal = wanted.algorithm != ALGORITHM_MAGLEV
        && taking.iter().all(|one| one.slots == 1)
        && keeping.iter().all(|one| one.slots == 0);
    let is_new = service.slots.is_empty() && service.idle.is_empty();
    if equal && service.equal && is_new {
        return in_place(plan, state, service, wanted.algorithm, &[], taking);
    }
    let difference = difference(state, service, &wanted.endpoints);
    match equal && service.equal && !difference.idles {
        true => {
            let gone = positions(service, &difference.gone);
            in_place(plan, state, service, wanted.algorithm, &gone, &difference.added)
        }
        false => anew(plan, state, service, wanted, difference),
    }
}

/// Changes single endpoints of a service whose endpoints are equal.
pub(super) fn change(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    change: &MemberChange,
) -> Result<(), Full> {
    if service.slots.len() >= MANY && service.index.is_none() {
        let workload = |id: &u32| Some((state.endpoints.get(*id)?.workload, *id));
        service.index = Some(Box::new(service.slots.iter().filter_map(workload).collect()));
    }
    let known = |one: &LoweredEndpoint| known(state, service, one);
    let gone: Vec<u32> = change.gone.iter().filter_map(known).collect();
    let added: Vec<LoweredEndpoint> =
        change.added.iter().filter(|one| known(one).is_none_or(|id| gone.contains(&id))).copied().collect();
    let gone = positions(service, &gone);
    for one in &change.gone {
        service.index.as_mut().and_then(|index| index.remove(&one.workload));
    }
    in_place(plan, state, service, change.algorithm, &gone, &added)
}

/// From so many endpoints on, looking at each costs more than an index.
const MANY: usize = 64;

/// The id of this endpoint, if it is a member.
fn known(state: &State, service: &ServiceState, one: &LoweredEndpoint) -> Option<u32> {
    let is_it = |id: &u32| {
        let record = state.endpoints.get(*id);
        record.is_some_and(|record| identity(record) == wanted_identity(one))
    };
    match &service.index {
        Some(index) => index.get(&one.workload).copied().filter(is_it),
        None => service.slots.iter().copied().find(is_it),
    }
}

fn positions(service: &ServiceState, ids: &[u32]) -> Vec<usize> {
    let position = |id: &u32| service.slots.iter().position(|slot| slot == id);
    let mut positions: Vec<usize> = ids.iter().filter_map(position).collect();
    positions.sort_unstable();
    positions
}

struct Difference {
    /// Ids of members that are not wanted.
    gone: Vec<u32>,
    /// What is wanted and no member.
    added: Vec<LoweredEndpoint>,
    /// Ids of members that are wanted, by who they are.
    kept: BTreeMap<Identity, u32>,
    /// One of these takes no new flows.
    idles: bool,
}

/// What makes an endpoint another one.
type Identity = (u64, evermesh_abi::Address, u16);

fn identity(record: &Endpoint) -> Identity {
    (record.workload, record.address, record.port)
}

fn wanted_identity(one: &LoweredEndpoint) -> Identity {
    (one.workload, one.address, one.port)
}

fn difference(state: &State, service: &ServiceState, wanted: &[LoweredEndpoint]) -> Difference {
    let mut members = BTreeMap::new();
    let mut gone = Vec::new();
    for id in service.members() {
        let twin = state.endpoints.get(id).and_then(|record| members.insert(identity(record), id));
        gone.extend(twin);
    }
    let mut added = Vec::with_capacity(wanted.len().saturating_sub(members.len()));
    let (mut kept, mut idles) = (BTreeMap::new(), false);
    for one in wanted {
        match members.remove_entry(&wanted_identity(one)) {
            Some((identity, id)) => {
                idles |= one.slots == 0;
                kept.insert(identity, id);
            }
            // Who only keeps what it has, has nothing here.
            None if one.slots == 0 => {}
            None => added.push(*one),
        }
    }
    gone.extend(members.into_values());
    Difference { gone, added, kept, idles }
}

fn in_place(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    algorithm: u8,
    gone: &[usize],
    added: &[LoweredEndpoint],
) -> Result<(), Full> {
    let count = service.slots.len();
    let mut change = Layout { algorithm, plan, state, service };
    match (gone, added) {
        ([], []) => change.keep(),
        ([], [one]) if count < SlotPool::capacity(change.service.word.count()) as usize => {
            change.append(one)?
        }
        ([position], [one]) => change.replace(*position, one)?,
        ([first, .., last], []) | ([first @ last], [])
            if *last + 1 == count && first + gone.len() == count =>
        {
            change.truncate(*first);
        }
        ([position], []) => change.remove(*position),
        _ => change.exchange(gone, added)?,
    }
    Ok(())
}

fn anew(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    wanted: &LoweredPort,
    Difference { gone, added, mut kept, .. }: Difference,
) -> Result<(), Full> {
    for one in &added {
        let id = new_endpoint(plan, state, service, one)?;
        kept.insert(wanted_identity(one), id);
    }
    let weights: BTreeMap<Identity, u32> =
        wanted.endpoints.iter().map(|one| (wanted_identity(one), one.slots)).collect();
    let weighted = |(identity, &id): (&Identity, &u32)| {
        let slots = *weights.get(identity)?;
        Some(Weighted { id, workload: identity.0, slots })
    };
    let (idle, weighted): (Vec<_>, Vec<_>) =
        kept.iter().filter_map(weighted).partition(|endpoint| endpoint.slots == 0);
    service.idle = idle.into_iter().map(|endpoint| endpoint.id).collect();
    let slots = layout::slots(wanted.algorithm, &weighted);
    let once = slots.len() == weighted.len() && wanted.algorithm != ALGORITHM_MAGLEV;
    service.equal = once && service.idle.is_empty();
    let mut change = Layout { algorithm: wanted.algorithm, plan, state, service };
    match change.service.slots == slots && !change.service.broken {
        true => change.keep(),
        false => change.lay_out(slots)?,
    }
    for id in gone {
        plan.retire_endpoint(state, id);
    }
    Ok(())
}

/// A change of the slots of one service.
struct Layout<'a> {
    algorithm: u8,
    plan: &'a mut Plan,
    state: &'a mut State,
    service: &'a mut ServiceState,
}

impl Layout<'_> {
    fn keep(&mut self) {
        let word = self.service.word;
        self.set_word(word.offset(), word.count());
    }

    /// The slot beyond the last one is written before the count says that it is there.
    fn append(&mut self, one: &LoweredEndpoint) -> Result<(), Full> {
        let endpoint = new_endpoint(self.plan, self.state, self.service, one)?;
        let word = self.service.word;
        self.plan.stores.push(Store::Slot { slot: word.offset() + word.count(), endpoint });
        self.service.slots.push(endpoint);
        self.set_word(word.offset(), word.count() + 1);
        Ok(())
    }

    fn replace(&mut self, position: usize, one: &LoweredEndpoint) -> Result<(), Full> {
        let endpoint = new_endpoint(self.plan, self.state, self.service, one)?;
        self.plan.stores.push(Store::Slot { slot: self.slot_at(position), endpoint });
        let gone = std::mem::replace(&mut self.service.slots[position], endpoint);
        self.keep();
        self.plan.retire_endpoint(self.state, gone);
        Ok(())
    }

    /// The last endpoints go: the count alone says so.
    fn truncate(&mut self, keep: usize) {
        let (offset, old) = (self.service.word.offset(), self.service.word.count());
        for endpoint in self.service.slots.split_off(keep) {
            self.plan.retire_endpoint(self.state, endpoint);
        }
        self.set_word(offset, count(keep));
        retire_tail(self.state, offset, old, count(keep));
    }

    /// The last endpoint takes the place of the one that goes. Between the two stores it stands twice, which
    /// doubles its share for a moment and leaves no hole.
    fn remove(&mut self, position: usize) {
        let (offset, old) = (self.service.word.offset(), self.service.word.count());
        let gone = self.service.slots.swap_remove(position);
        let endpoint = self.service.slots[position];
        self.plan.stores.push(Store::Slot { slot: self.slot_at(position), endpoint });
        self.set_word(offset, old - 1);
        self.plan.retire_endpoint(self.state, gone);
        retire_tail(self.state, offset, old, old - 1);
    }

    fn exchange(mut self, gone: &[usize], added: &[LoweredEndpoint]) -> Result<(), Full> {
        let room = self.service.slots.len() - gone.len() + added.len();
        let (mut slots, mut left) = (Vec::with_capacity(room), Vec::with_capacity(gone.len()));
        for (position, &endpoint) in self.service.slots.iter().enumerate() {
            if gone.binary_search(&position).is_ok() { left.push(endpoint) } else { slots.push(endpoint) }
        }
        for one in added {
            slots.push(new_endpoint(self.plan, self.state, self.service, one)?);
        }
        self.lay_out(slots)?;
        for endpoint in left {
            self.plan.retire_endpoint(self.state, endpoint);
        }
        Ok(())
    }

    fn lay_out(&mut self, slots: Vec<u32>) -> Result<(), Full> {
        let (offset, old) = (self.service.word.offset(), self.service.word.count());
        let new = count(slots.len());
        let at = if new == 0 { 0 } else { self.state.slots.take(new).ok_or(Full::of(Table::Slots))? };
        let stores = (at..).zip(&slots).map(|(slot, &endpoint)| Store::Slot { slot, endpoint });
        self.plan.stores.extend(stores);
        self.service.slots = slots;
        self.service.broken = false;
        self.set_word(at, new);
        self.state.retired.slots.push((offset, old));
        Ok(())
    }

    fn set_word(&mut self, offset: u32, count: u32) {
        let word = match (count, self.algorithm) {
            (0, ALGORITHM_NONE) => ServiceWord::LEFT_ALONE,
            (0, _) => ServiceWord::EMPTY,
            (_, algorithm) => ServiceWord::new(algorithm, offset, count),
        };
        if self.service.word != word {
            self.service.word = word;
            self.plan.stores.push(Store::Service { id: self.service.id, word });
        }
    }

    fn slot_at(&self, position: usize) -> u32 {
        self.service.word.offset() + count(position)
    }
}

fn new_endpoint(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    one: &LoweredEndpoint,
) -> Result<u32, Full> {
    let id = state.endpoint_ids.take().ok_or(Full::of(Table::Endpoints))?;
    let &LoweredEndpoint { workload, address, port, .. } = one;
    let record = Endpoint { address, port, flags: 0, service: service.id, workload };
    state.endpoints.insert(id, record);
    if let Some(index) = &mut service.index {
        index.insert(workload, id);
    }
    plan.stores.push(Store::Endpoint { id, record });
    Ok(id)
}

/// A range is as long as its count says, so that it can be recognised from the table; what a smaller count
/// gives up are whole ranges of their own.
fn retire_tail(state: &mut State, offset: u32, old: u32, new: u32) {
    let (from, to) = (SlotPool::capacity(new), SlotPool::capacity(old));
    if from == 0 {
        state.retired.slots.push((offset, old));
        return;
    }
    let mut length = from;
    while length < to {
        state.retired.slots.push((offset + length, length));
        length *= 2;
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most u32::MAX slots")]
fn count(slots: usize) -> u32 {
    slots as u32
}
