use std::ops::Range;

use evermesh_abi::{FrontendKey, FrontendValue};
use evermesh_pins::{GenerationPins, PinDir, TablesView};

use super::DataPlane;
use crate::tables::{At, TableRead};

/// So many keys are compared at a time: a fraction of a millisecond.
const KEYS: usize = 2048;

/// A look at the tables for drift, part by part, so that no change waits for all of it.
#[derive(Debug)]
pub struct Look {
    pins: PinDir,
    generation: u32,
    at: At,
    /// All of `frontends`, read without the data plane: what differs may have changed since, and is read again.
    keys: Vec<(FrontendKey, FrontendValue)>,
    compared: usize,
}

/// What a look has come to.
#[derive(Debug)]
pub enum Looked {
    /// Nothing differs so far, and this is left.
    On(Look),
    /// Nothing differs.
    Same,
    /// Something does, or it is not known what the tables should say: [`DataPlane::audit`] puts it right.
    Differs,
}

impl Look {
    /// Reads the keys, for which the data plane is not needed. `None`: they cannot be read.
    pub fn read_keys(self) -> Option<Self> {
        let pins = GenerationPins::read(&self.pins, self.generation).ok()?;
        let view = TablesView::open(&self.pins, self.generation, &pins).ok()?;
        Some(Self { keys: TableRead::frontends(&view), ..self })
    }

    fn next_keys(&self) -> Range<usize> {
        self.compared..self.keys.len().min(self.compared + KEYS)
    }
}

impl DataPlane {
    /// Begins a look. `None`: there is nothing to compare with, or the tables are those of another release, which are compared by
    /// what they mean.
    pub fn look(&self) -> Option<Look> {
        let is_comparable = self.applied.is_some() && self.state_known && self.live.ways.are_own();
        is_comparable.then(|| Look {
            pins: self.config.pins.clone(),
            generation: self.live.number,
            at: At::BEGIN,
            keys: Vec::new(),
            compared: 0,
        })
    }

    /// Compares the next part.
    pub fn look_on(&mut self, mut look: Look) -> Looked {
        let same_generation = self.state_known && look.generation == self.live.number;
        let Some(view) = self.live.view.as_ref().filter(|_| same_generation) else { return Looked::Differs };
        match look.at {
            At::End if look.compared < look.keys.len() => {
                let part = look.next_keys();
                let leads = |(key, value): &(FrontendKey, FrontendValue)| self.state.leads(key, *value);
                if !look.keys[part.clone()].iter().all(leads) {
                    return self.compare_keys();
                }
                look.compared = part.end;
                Looked::On(look)
            }
            At::End if look.keys.len() == self.state.key_count() => Looked::Same,
            At::End => self.compare_keys(),
            at => match self.state.compare(view, at) {
                Some(at) => Looked::On(Look { at, ..look }),
                None => Looked::Differs,
            },
        }
    }

    /// All at once, as they are now.
    fn compare_keys(&mut self) -> Looked {
        if self.live.read_frontends(&self.config.pins).is_err() {
            return Looked::Differs;
        }
        let keys = self.live.view.as_ref().map(TableRead::frontends).unwrap_or_default();
        let same = keys.len() == self.state.key_count();
        match same && keys.iter().all(|(key, value)| self.state.leads(key, *value)) {
            true => Looked::Same,
            false => Looked::Differs,
        }
    }
}
