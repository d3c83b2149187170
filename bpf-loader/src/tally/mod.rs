//! What generations that are gone have counted.
//!
//! Every generation counts from zero. One that is left for good is added to the tally, which is on the disk before the generation
//! is removed; what is shown is the tally and every generation that stands and is not in it:
//!
//! ```text
//! switch, barrier     count        remove
//!                       |
//! shown: its own     tally        tally
//! ```

mod file;
#[cfg(test)]
mod properties;

use std::collections::BTreeMap;

use evermesh_pins::{GenerationPins, Inventory, PinDir, Table, TablesView, ViewError};
use serde::{Deserialize, Serialize};

pub use file::{TallyError, TallyFile};

/// What a generation has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// The kernel's id of its `counters`. No other map has it before the machine is started anew, but a generation's number
    /// comes again after a roll-back.
    pub map: u32,
    /// By the names that its release has given them.
    pub counts: Vec<(String, u64)>,
}

/// The sums of what was counted, by name, and whose counts are in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The boot that it speaks of.
    boot: String,
    totals: BTreeMap<String, u64>,
    /// Those of the `counters` that were added last.
    added: Vec<u32>,
}

impl Counts {
    /// Of a generation that is complete; none: it is not, and has never met traffic, or is in the tally already.
    pub fn of(pins: &PinDir, number: u32, generation: &GenerationPins) -> Result<Option<Self>, ViewError> {
        let (Some(map), Some(_)) = (generation.tables.get(&Table::Counters), &generation.manifest) else {
            return Ok(None);
        };
        Ok(Some(Self { map: map.info.id, counts: TablesView::counters(pins, number, generation)? }))
    }

    /// Of every generation that stands, and what could not be read.
    pub fn standing(pins: &PinDir, inventory: &Inventory) -> (Vec<Self>, Vec<ViewError>) {
        let (mut counts, mut failed) = (Vec::new(), Vec::new());
        for (&number, generation) in &inventory.generations {
            match Self::of(pins, number, generation) {
                Ok(found) => counts.extend(found),
                Err(error) => failed.push(error),
            }
        }
        (counts, failed)
    }
}

impl Tally {
    /// Between adding a generation and removing it no other one is added, but a removal may fail for a while.
    const REMEMBERED: usize = 16;

    /// Nothing was counted yet.
    pub fn of_boot(boot: &str) -> Self {
        Self { boot: boot.to_owned(), ..Self::default() }
    }

    /// Whether these are in it.
    pub fn has(&self, map: u32) -> bool {
        self.added.contains(&map)
    }

    /// Adds a generation whose programs run no more, once. Whether that says anything new.
    pub fn add(&mut self, Counts { map, counts }: &Counts) -> bool {
        if self.has(*map) || counts.iter().all(|(_, count)| *count == 0) {
            return false;
        }
        add(&mut self.totals, counts);
        self.added.push(*map);
        let surplus = self.added.len().saturating_sub(Self::REMEMBERED);
        self.added.drain(..surplus);
        true
    }

    /// With what those have counted that stand, which must have been read before the tally was: one that is left meanwhile is
    /// then found in one of both.
    pub fn with(&self, standing: &[Counts]) -> BTreeMap<String, u64> {
        let mut sums = self.totals.clone();
        standing.iter().filter(|it| !self.has(it.map)).for_each(|it| add(&mut sums, &it.counts));
        sums
    }
}

fn add(sums: &mut BTreeMap<String, u64>, counts: &[(String, u64)]) {
    for (name, count) in counts {
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
}
