//! What stands in the tables, as one number: an agent that finds the number that was kept need not know the model to know that
//! the tables are right.

use evermesh_pins::sys::{Plain, bytes};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{State, state::ServiceState};

/// Digest of every element that means something: two states of the same contents have the same ids, words, slots, records
/// and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents([u8; 16]);

impl State {
    /// The contents of the tables. `None`: something stands there that the next plan puts right.
    pub fn contents(&self) -> Option<Contents> {
        if !self.strays.is_empty() || self.services.iter().any(|service| service.broken) {
            return None;
        }
        let mut sum = Sum(Xxh3::new());
        sum.count(self.services.len());
        self.services.by_digest().for_each(|service| sum.service(service));
        sum.count(self.endpoints.len());
        self.endpoints.iter().for_each(|(id, record)| {
            sum.word(id.into());
            sum.element(record);
        });
        sum.count(self.frontends.len());
        for (key, value) in &self.frontends {
            sum.element(key);
            sum.word(value.0);
        }
        sum.count(self.addresses.len());
        self.addresses.iter().flat_map(|address| address.0).for_each(|part| sum.word(part.into()));
        Some(Contents(sum.0.digest128().to_le_bytes()))
    }
}

struct Sum(Xxh3);

impl Sum {
    fn word(&mut self, word: u64) {
        self.0.update(&word.to_le_bytes());
    }

    fn count(&mut self, count: usize) {
        self.word(count as u64);
    }

    fn ids(&mut self, ids: &[u32]) {
        self.count(ids.len());
        ids.iter().for_each(|id| self.word((*id).into()));
    }

    fn service(&mut self, service: &ServiceState) {
        let ServiceState { id, meta, word, slots, idle, .. } = service;
        self.word((*id).into());
        self.element(meta);
        self.word(word.0);
        self.ids(slots);
        let mut idle = idle.clone();
        idle.sort_unstable();
        self.ids(&idle);
    }

    /// Every byte of an element counts, whatever its fields are.
    fn element<T: Plain>(&mut self, element: &T) {
        self.0.update(bytes(element));
    }
}
