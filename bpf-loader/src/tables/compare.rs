//! Whether the tables say what was planned, part by part: between two parts there is time for a change.

use evermesh_abi::{FrontendKey, FrontendValue, ServiceMeta};

use super::{State, TableRead, state::ServiceState};

/// So many elements are compared at a time, give or take the slots of one service: a fraction of a millisecond.
const PART: u32 = 8192;

/// What is compared next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Service ids, from this one on: services that are planned, with their slots, and no others.
    Services(u32),
    /// Endpoint ids, from this one on: records of those that are planned, and no others.
    Endpoints(u32),
    /// Nothing: all was compared but `frontends`.
    End,
}

impl At {
    /// Where to begin.
    pub const BEGIN: Self = Self::Services(1);
}

impl State {
    /// Compares what is next. `None`: the tables say something else. May go on after other changes were planned and performed:
    /// what they changed is as they planned it.
    pub fn compare(&self, tables: &impl TableRead, at: At) -> Option<At> {
        match at {
            At::Services(from) => self.compare_services(tables, from),
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

    fn compare_services(&self, tables: &impl TableRead, from: u32) -> Option<At> {
        let mut compared = 0;
        for id in from..tables.entries().services {
            let service = self.services.of_id(id);
            if !service.map_or_else(|| is_free(id, tables), |service| stands(service, tables)) {
                return None;
            }
            compared += 2 + service.map_or(0, |service| service.slots.len());
            if compared >= PART as usize {
                return Some(At::Services(id + 1));
            }
        }
        Some(At::Endpoints(1))
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

fn is_free(id: u32, tables: &impl TableRead) -> bool {
    tables.service_meta(id).unwrap_or_default() == ServiceMeta::default()
}

/// Ids from there, and where to go on if that is not all.
fn part(from: u32, end: u32) -> (std::ops::Range<u32>, Option<u32>) {
    let until = from.saturating_add(PART).min(end);
    (from..until, (until < end).then_some(until))
}
