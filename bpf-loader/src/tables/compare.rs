//! Whether the tables say what was planned, part by part: between two parts there is time for a change.

use std::ops::Bound::{Excluded, Unbounded};

use evermesh_abi::{FrontendKey, FrontendValue, ServiceMeta, ServiceWord};

use super::{State, TableRead, state::ServiceState};

/// So many elements are compared at a time, give or take the slots of one service: a fraction of a millisecond.
const PART: u32 = 8192;

/// What is compared next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Services that are planned, with their slots, in the order of their digests: those after this one.
    Services(Option<u64>),
    /// Service ids, from this one on: whatever is named belongs to a service.
    Ids(u32),
    /// Endpoint ids, from this one on: records of those that are planned, and no others.
    Endpoints(u32),
    /// Nothing: all was compared but `frontends`.
    End,
}

impl At {
    /// Where to begin.
    pub const BEGIN: Self = Self::Services(None);
}

impl State {
    /// Compares what is next. `None`: the tables say something else. May go on after other changes were planned and performed:
    /// what they changed is as they planned it.
    pub fn compare(&self, tables: &impl TableRead, at: At) -> Option<At> {
        match at {
            At::Services(after) => self.compare_services(tables, after),
            At::Ids(from) => {
                let (part, end) = part(from, tables.entries().services);
                let belongs = |id| self.names(tables, id);
                part.into_iter().all(belongs).then_some(end.map_or(At::Endpoints(1), At::Ids))
            }
            At::Endpoints(from) => {
                let (part, end) = part(from, tables.entries().endpoints);
                let same = |id| {
                    let found = tables.endpoint(id).unwrap_or_default();
                    self.endpoints.get(id).map_or(found.service == 0, |record| *record == found)
                };
                part.into_iter().all(same).then_some(end.map_or(At::End, At::Endpoints))
            }
            At::End => Some(At::End),
        }
    }

    fn compare_services(&self, tables: &impl TableRead, after: Option<u64>) -> Option<At> {
        let mut compared = 0;
        for (digest, service) in self.services.range((after.map_or(Unbounded, Excluded), Unbounded)) {
            if !stands(service, tables) {
                return None;
            }
            compared += 2 + service.slots.len();
            if compared >= PART as usize {
                return Some(At::Services(Some(*digest)));
            }
        }
        Some(At::Ids(1))
    }

    /// What stands under a service id is free, or of the service that has it.
    fn names(&self, tables: &impl TableRead, id: u32) -> bool {
        let meta = tables.service_meta(id).unwrap_or_default();
        match self.services.get(&meta.digest).filter(|_| meta.digest != 0) {
            Some(service) => service.id == id,
            None => {
                let word = tables.service(id).unwrap_or(ServiceWord::EMPTY);
                meta == ServiceMeta::default() && word == ServiceWord::EMPTY
            }
        }
    }

    /// Whether a key of `frontends` says what is planned.
    pub fn leads(&self, key: &FrontendKey, value: FrontendValue) -> bool {
        match *key == FrontendKey::known_address(key.address) {
            true => self.addresses.contains(&key.address) && value == FrontendValue::new(0, key),
            false => self.frontends.get(key) == Some(&value),
        }
    }

    /// How many keys `frontends` should have.
    pub fn key_count(&self) -> usize {
        self.frontends.len() + self.addresses.len()
    }
}

fn stands(service: &ServiceState, tables: &impl TableRead) -> bool {
    let ServiceState { id, meta, word, slots, broken, .. } = service;
    let slot_stands = |(slot, endpoint): (u32, &u32)| tables.slot(slot) == Some((*endpoint).into());
    !broken
        && tables.service_meta(*id) == Some(*meta)
        && tables.service(*id) == Some(*word)
        && (word.offset()..).zip(slots).all(slot_stands)
}

/// Ids from there, and where to go on if that is not all.
fn part(from: u32, end: u32) -> (std::ops::Range<u32>, Option<u32>) {
    let until = from.saturating_add(PART).min(end);
    (from..until, (until < end).then_some(until))
}
