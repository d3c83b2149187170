//! How the endpoint set of one service changes.

use std::{collections::BTreeMap, iter::repeat_n};

use evermesh_abi::{ALGORITHM_MAGLEV, ALGORITHM_NONE, ALGORITHM_ROUND_ROBIN, Endpoint, ServiceWord};
use evermesh_pins::Table;
use hashbrown::{HashTable, hash_table::OccupiedEntry};

use super::{
    super::{State, Store, records::Records, slot_pool::SlotPool, state::ServiceState},
    Full, Plan,
    exchange::{Move, Target, count, exchange},
    layout::{self, Weighted},
    turns::{Rearranged, rearrange},
};
use crate::lower::{Identity, LoweredEndpoint, LoweredPort, MemberChange, Turns};

/// Leads the service's slots to what is wanted. Where any endpoint may have any slot, those that differ change hands; anything else
/// is laid out elsewhere and taken over by the one store of the service's word.
pub(super) fn update(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    wanted: &LoweredPort,
) -> Result<(), Full> {
    service.index = None;
    service.weighing = wanted.weighing.clone();
    let Difference { gone, added, kept } = difference(state, service, &wanted.endpoints);
    let new = new_endpoints(plan, state, service, &added)?;
    let once = wanted.endpoints.iter().all(|one| one.slots <= 1);
    let algorithm = wanted.algorithm;
    let anywhere = algorithm != ALGORITHM_MAGLEV && (algorithm != ALGORITHM_ROUND_ROBIN || once);
    service.idle = kept.iter().filter(|(_, slots)| *slots == 0).map(|(id, _)| *id).collect();
    let mut layout = Layout { algorithm, plan, state, service };
    match anywhere {
        true => {
            let gone = gone.iter().map(|id| (*id, 0));
            layout.exchange(kept.into_iter().chain(gone).collect(), &new)?;
        }
        false => layout.in_order(kept.into_iter().chain(new))?,
    }
    for id in gone {
        plan.retire_endpoint(state, id);
    }
    Ok(())
}

/// Changes single endpoints of a service of which any may have any slot.
pub(super) fn change(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    change: MemberChange,
) -> Result<(), Full> {
    if service.slots.len() + service.idle.len() >= MANY && service.index.is_none() {
        service.index = Some(Box::new(index(&state.endpoints, service)));
    }
    let gone: Vec<u32> = change.gone.iter().filter_map(|one| known(state, service, one)).collect();
    let (mut standing, added) = kept_and_added(&change.wanted, |one| known(state, service, one));
    for id in &gone {
        let found =
            service.index.as_mut().map(|index| index.find_entry(digest(&state.endpoints, id), |it| it == id));
        found.and_then(Result::ok).map(OccupiedEntry::remove);
    }
    let new = new_endpoints(plan, state, service, &added)?;
    service.lay_idle(&standing, &gone);
    standing.extend(gone.iter().map(|id| (*id, 0)));
    service.weighing = change.weighing;
    let mut layout = Layout { algorithm: change.algorithm, plan, state, service };
    match change.turns.is_empty() {
        true => layout.exchange(standing, &new)?,
        false => layout.take_turns(&change.turns, standing, &new)?,
    }
    for id in gone {
        plan.retire_endpoint(state, id);
    }
    Ok(())
}

/// From so many endpoints on, looking at each costs more than an index.
const MANY: usize = 64;

/// Of a member's workload.
fn digest(endpoints: &Records, id: &u32) -> u64 {
    endpoints.get(*id).map_or(0, |record| record.workload)
}

fn index(endpoints: &Records, service: &ServiceState) -> HashTable<u32> {
    let mut index = HashTable::with_capacity(service.slots.len() + service.idle.len());
    for id in service.slots.iter().chain(&service.idle) {
        let digest_of = |id: &u32| digest(endpoints, id);
        index.entry(digest_of(id), |other| other == id, digest_of).or_insert(*id);
    }
    index
}

/// The id of this endpoint, if it is a member.
fn known(state: &State, service: &ServiceState, one: &LoweredEndpoint) -> Option<u32> {
    let is_it = |id: &u32| {
        let record = state.endpoints.get(*id);
        record.is_some_and(|record| identity(record) == one.identity())
    };
    match &service.index {
        Some(index) => index.find(one.workload, is_it).copied(),
        None => service.slots.iter().chain(&service.idle).copied().find(is_it),
    }
}

struct Difference {
    /// Ids of members that are not wanted.
    gone: Vec<u32>,
    /// What is wanted and no member.
    added: Vec<LoweredEndpoint>,
    /// Members that are wanted.
    kept: Vec<Target>,
}

fn identity(record: &Endpoint) -> Identity {
    (record.workload, record.address, record.port)
}

fn difference(state: &State, service: &ServiceState, wanted: &[LoweredEndpoint]) -> Difference {
    let mut members = BTreeMap::new();
    let mut gone = Vec::new();
    for id in service.members() {
        let twin = state.endpoints.get(id).and_then(|record| members.insert(identity(record), id));
        gone.extend(twin);
    }
    let (kept, added) = kept_and_added(wanted, |one| members.remove(&one.identity()));
    gone.extend(members.into_values());
    Difference { gone, added, kept }
}

/// Of what is wanted: members, and what is none yet. Who would only keep what it has, and is none, has nothing here.
fn kept_and_added(
    wanted: &[LoweredEndpoint],
    mut member: impl FnMut(&LoweredEndpoint) -> Option<u32>,
) -> (Vec<Target>, Vec<LoweredEndpoint>) {
    let (mut kept, mut added) = (Vec::new(), Vec::new());
    for one in wanted {
        match member(one) {
            Some(id) => kept.push((id, one.slots)),
            None if one.slots == 0 => {}
            None => added.push(*one),
        }
    }
    (kept, added)
}

/// A change of the slots of one service.
struct Layout<'a> {
    algorithm: u8,
    plan: &'a mut Plan,
    state: &'a mut State,
    service: &'a mut ServiceState,
}

impl Layout<'_> {
    /// Where any endpoint may have any slot, as long as each has as many as it should. Few that differ change hands in place, if nobody
    /// can be reached meanwhile but those from before, or those from after. Before the count says that there are less, the last ones
    /// stand twice, which changes their shares for a moment and leaves no hole.
    fn exchange(&mut self, standing: Vec<Target>, new: &[Target]) -> Result<(), Full> {
        if self.service.slots.is_empty() {
            let all = || standing.iter().chain(new).map(|&(id, count)| (id, count as usize));
            let mut slots = Vec::with_capacity(all().map(|(_, count)| count).sum());
            all().for_each(|(id, count)| slots.extend(repeat_n(id, count)));
            return self.lay_out(slots);
        }
        let exchange = exchange(&mut self.service.slots, standing, new);
        let len = count(self.service.slots.len());
        if !exchange.at_once || exchange.stores.len() >= MANY || !self.has_room_for(len) {
            let slots = std::mem::take(&mut self.service.slots);
            return self.lay_out(slots);
        }
        self.store(exchange.stores);
        self.set_count(len);
        Ok(())
    }

    /// Like [`exchange`](Self::exchange), where endpoints take turns, and there are so many of each number of slots.
    fn take_turns(&mut self, turns: &Turns, standing: Vec<Target>, new: &[Target]) -> Result<(), Full> {
        let Rearranged { beyond, stores } = rearrange(&mut self.service.slots, turns, standing, new);
        let len = count(self.service.slots.len());
        let Some(stores) = stores.filter(|_| self.has_room_for(len)) else {
            let slots = std::mem::take(&mut self.service.slots);
            return self.lay_out(slots);
        };
        self.store(beyond);
        self.set_count(len.max(self.service.word.count()));
        self.store(stores);
        self.set_count(len);
        Ok(())
    }

    /// Whether so many slots may stand in the range that the service has.
    fn has_room_for(&self, len: u32) -> bool {
        !self.service.broken && len <= SlotPool::capacity(self.service.word.count())
    }

    /// In the range that the service has.
    fn store(&mut self, moves: Vec<Move>) {
        let offset = self.service.word.offset();
        let store = |(at, endpoint)| Store::Slot { slot: offset + count(at), endpoint };
        self.plan.stores.extend(moves.into_iter().map(store));
    }

    /// In the range that the service has, of which the rest is given up.
    fn set_count(&mut self, len: u32) {
        let (offset, old) = (self.service.word.offset(), self.service.word.count());
        self.set_word(offset, len);
        if len < old {
            retire_tail(self.state, offset, old, len);
        }
    }

    /// Where each endpoint has slots of its own.
    fn in_order(&mut self, members: impl Iterator<Item = Target>) -> Result<(), Full> {
        let identity = |id: u32| self.state.endpoints.get(id).map(identity);
        let taking = members.filter(|(_, slots)| *slots > 0);
        let mut sorted: Vec<_> = taking.filter_map(|(id, slots)| Some((identity(id)?, id, slots))).collect();
        sorted.sort_unstable();
        let weighted = |((workload, ..), id, slots): (Identity, u32, u32)| Weighted { id, workload, slots };
        let weighted: Vec<_> = sorted.into_iter().map(weighted).collect();
        let slots = layout::slots(self.algorithm, &weighted);
        let stands = layout::are_as_good(self.algorithm, &self.service.slots, &slots, &weighted);
        match stands && !self.service.broken {
            true => {
                let word = self.service.word;
                self.set_word(word.offset(), word.count());
                Ok(())
            }
            false => self.lay_out(slots),
        }
    }

    fn lay_out(&mut self, slots: Vec<u32>) -> Result<(), Full> {
        let (offset, old) = (self.service.word.offset(), self.service.word.count());
        let new = count(slots.len());
        let at = if new == 0 { 0 } else { self.state.slots.take(new).ok_or(Full::of(Table::Slots))? };
        let stores = (at..).zip(&slots).map(|(slot, &endpoint)| Store::Slot { slot, endpoint });
        self.plan.stores.extend(stores);
        self.service.slots = slots;
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
        if self.service.word != word || self.service.broken {
            self.service.word = word;
            self.service.broken = false;
            self.plan.stores.push(Store::Service { id: self.service.id, word });
        }
    }
}

fn new_endpoints(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    added: &[LoweredEndpoint],
) -> Result<Vec<Target>, Full> {
    added.iter().map(|one| Ok((new_endpoint(plan, state, service, one)?, one.slots))).collect()
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
        index.insert_unique(workload, id, |id| digest(&state.endpoints, id));
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
