use std::time::{Duration, Instant};

use evermesh_abi::Counter;
use evermesh_pins::{GenerationPins, PinDir, TablesView, ViewError};

use crate::generation::Change;

/// The live generation follows another one, which stands by.
#[derive(Debug)]
pub struct Trial {
    pub change: Change,
    /// Flows on the generation before.
    pub before: Flows,
    /// Since when traffic runs on the new one.
    pub since: Instant,
}

/// What was seen of a generation since traffic runs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The generation.
    pub generation: u32,
    /// How long traffic has run on it.
    pub age: Duration,
    /// Flows on it.
    pub now: Flows,
    /// Flows on the generation before, all the time that it was live.
    pub before: Flows,
    /// Stores that it would take to lead the tables to what was applied last.
    pub differences: usize,
}

/// Flows to services, as the programs of a generation count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// Led to an endpoint.
    pub translated: u64,
    /// Refused.
    pub failed: u64,
}

impl Flows {
    pub(super) fn counted(
        pins: &PinDir,
        generation: u32,
        of: &GenerationPins,
    ) -> Result<Self, ViewError> {
        let counted = TablesView::counters(pins, generation, of)?;
        let sum = |wanted: &[Counter]| {
            let named = Counter::ALL.into_iter().filter(|(counter, _)| wanted.contains(counter));
            let value = |(_, name)| counted.iter().find(|(found, _)| *found == name).map_or(0, |(_, n)| *n);
            named.map(value).sum()
        };
        let refusals =
            [Counter::RefusedEmpty, Counter::RefusedPort, Counter::Hole, Counter::OriginsFull];
        Ok(Self { translated: sum(&[Counter::Translated]), failed: sum(&refusals) })
    }
}
