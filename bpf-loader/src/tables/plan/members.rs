//! How the endpoint set of one service changes.

use std::collections::BTreeSet;

use evermesh_abi::{Endpoint, ServiceWord};
use evermesh_pins::Table;

use super::{
    super::{State, Store, slot_pool::SlotPool, state::ServiceState},
    Full, Plan,
};
use crate::lower::LoweredEndpoint;

/// Leads the service's slots to `wanted`. One endpoint that comes, goes or is replaced takes one or two stores
/// in place; anything else is laid out elsewhere and taken over by the one store of the service's word.
pub(super) fn update(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    wanted: &[LoweredEndpoint],
) -> Result<(), Full> {
    let Difference { gone, added } = difference(state, service, wanted);
    let count = service.members.len();
    match (gone.as_slice(), added.as_slice()) {
        _ if service.broken => rewrite(plan, state, service, &gone, &added),
        ([], []) => Ok(()),
        ([], [one]) if count < SlotPool::capacity(service.word.count()) as usize => {
            append(plan, state, service, one)
        }
        ([position], [one]) => replace(plan, state, service, *position, one),
        ([.., last], []) if *last + 1 == count && gone[0] + gone.len() == count => {
            truncate(plan, state, service, gone[0]);
            Ok(())
        }
        ([position], []) => {
            remove(plan, state, service, *position);
            Ok(())
        }
        _ => rewrite(plan, state, service, &gone, &added),
    }
}

struct Difference {
    /// Positions of members that are not wanted, ascending.
    gone: Vec<usize>,
    /// What is wanted and no member.
    added: Vec<LoweredEndpoint>,
}

fn difference(state: &State, service: &ServiceState, wanted: &[LoweredEndpoint]) -> Difference {
    let mut added: BTreeSet<LoweredEndpoint> = wanted.iter().copied().collect();
    let is_gone = |(position, id): (usize, &u32)| {
        let kept = state.endpoints.get(id).is_some_and(|record| added.remove(&identity(record)));
        (!kept).then_some(position)
    };
    let gone = service.members.iter().enumerate().filter_map(is_gone).collect();
    Difference { gone, added: added.into_iter().collect() }
}

fn identity(record: &Endpoint) -> LoweredEndpoint {
    LoweredEndpoint { workload: record.workload, address: record.address, port: record.port }
}

/// The slot beyond the last one is written before the count says that it is there.
fn append(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    one: &LoweredEndpoint,
) -> Result<(), Full> {
    let endpoint = new_endpoint(plan, state, service.id, one)?;
    let slot = service.word.offset() + service.word.count();
    plan.stores.push(Store::Slot { slot, endpoint });
    service.members.push(endpoint);
    set_word(plan, service, service.word.offset(), service.word.count() + 1);
    Ok(())
}

fn replace(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    position: usize,
    one: &LoweredEndpoint,
) -> Result<(), Full> {
    let endpoint = new_endpoint(plan, state, service.id, one)?;
    plan.stores.push(Store::Slot { slot: slot_at(service, position), endpoint });
    let gone = std::mem::replace(&mut service.members[position], endpoint);
    plan.retire_endpoint(state, gone);
    Ok(())
}

/// The last endpoints go: the count alone says so.
fn truncate(plan: &mut Plan, state: &mut State, service: &mut ServiceState, keep: usize) {
    let (offset, old) = (service.word.offset(), service.word.count());
    let new = count(keep);
    for endpoint in service.members.split_off(keep) {
        plan.retire_endpoint(state, endpoint);
    }
    set_word(plan, service, if new == 0 { 0 } else { offset }, new);
    retire_tail(state, offset, old, new);
}

/// The last endpoint takes the place of the one that goes. Between the two stores it stands twice, which
/// doubles its share for a moment and leaves no hole.
fn remove(plan: &mut Plan, state: &mut State, service: &mut ServiceState, position: usize) {
    let (offset, old) = (service.word.offset(), service.word.count());
    let gone = service.members.swap_remove(position);
    plan.stores.push(Store::Slot { slot: slot_at(service, position), endpoint: service.members[position] });
    set_word(plan, service, offset, old - 1);
    plan.retire_endpoint(state, gone);
    retire_tail(state, offset, old, old - 1);
}

fn rewrite(
    plan: &mut Plan,
    state: &mut State,
    service: &mut ServiceState,
    gone: &[usize],
    added: &[LoweredEndpoint],
) -> Result<(), Full> {
    let old = std::mem::take(&mut service.members);
    let (mut kept, mut left) = (Vec::with_capacity(old.len()), Vec::with_capacity(gone.len()));
    for (position, endpoint) in old.into_iter().enumerate() {
        if gone.binary_search(&position).is_ok() { left.push(endpoint) } else { kept.push(endpoint) }
    }
    for one in added {
        kept.push(new_endpoint(plan, state, service.id, one)?);
    }
    service.members = kept;
    lay_out(plan, state, service)?;
    for endpoint in left {
        plan.retire_endpoint(state, endpoint);
    }
    Ok(())
}

fn lay_out(plan: &mut Plan, state: &mut State, service: &mut ServiceState) -> Result<(), Full> {
    let (offset, old) = (service.word.offset(), service.word.count());
    let new = count(service.members.len());
    let at = if new == 0 { 0 } else { state.slots.take(new).ok_or(Full::of(Table::Slots))? };
    let slots = (at..).zip(&service.members);
    plan.stores.extend(slots.map(|(slot, &endpoint)| Store::Slot { slot, endpoint }));
    set_word(plan, service, at, new);
    state.retired.slots.push((offset, old));
    service.broken = false;
    Ok(())
}

fn new_endpoint(
    plan: &mut Plan,
    state: &mut State,
    service: u32,
    one: &LoweredEndpoint,
) -> Result<u32, Full> {
    let id = state.endpoint_ids.take().ok_or(Full::of(Table::Endpoints))?;
    let &LoweredEndpoint { workload, address, port } = one;
    let record = Endpoint { address, port, flags: 0, service, workload };
    state.endpoints.insert(id, record);
    plan.stores.push(Store::Endpoint { id, record });
    Ok(id)
}

fn set_word(plan: &mut Plan, service: &mut ServiceState, offset: u32, count: u32) {
    service.word = ServiceWord::new(offset, count);
    plan.stores.push(Store::Service { id: service.id, word: service.word });
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

fn slot_at(service: &ServiceState, position: usize) -> u32 {
    service.word.offset() + count(position)
}

#[expect(clippy::cast_possible_truncation, reason = "there are at most u32::MAX slots")]
fn count(members: usize) -> u32 {
    members as u32
}
