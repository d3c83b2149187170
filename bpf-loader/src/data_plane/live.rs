use evermesh_pins::{GenerationPins, PinDir, TablesView, layout::Ways};

use super::ApplyError;
use crate::{
    Object, TableSizes,
    tables::{self, State, Store, TableWriter},
};

/// The generation that traffic runs on. It may be of another release, whose tables have other layouts: they are read and
/// written by the names of their fields, as far as that goes.
#[derive(Debug)]
pub struct Live {
    pub number: u32,
    pub pins: GenerationPins,
    /// How its tables are read and written.
    pub ways: Ways,
    /// Read-only; none: its layouts cannot be read.
    pub view: Option<TablesView>,
    /// Maps the tables writable at its first store.
    writer: TableWriter,
}

impl Live {
    /// For a release that brings `object`.
    pub fn open(
        dir: &PinDir,
        number: u32,
        pins: GenerationPins,
        object: &Object,
    ) -> Result<Self, ApplyError> {
        let of_release = pins.manifest.as_ref().is_some_and(|manifest| manifest.object == object.digest());
        let ways = if of_release { Ways::own() } else { Ways::to(&pins) };
        let view = match ways.unreadable() {
            None => Some(TablesView::in_ways(dir, number, &pins, ways.clone())?),
            Some(_) => None,
        };
        let writer = TableWriter::in_ways(|table| pins.tables.get(&table), ways.clone())?;
        Ok(Self { number, pins, ways, view, writer })
    }

    pub fn read_frontends(&mut self, dir: &PinDir) -> Result<(), ApplyError> {
        let Some(view) = &mut self.view else { return Ok(()) };
        Ok(view.read_frontends(dir, self.number, &self.pins)?)
    }

    /// What the tables say; nothing, in tables of `sizes`, where they cannot be read.
    pub fn state(&self, sizes: TableSizes) -> State {
        self.view.as_ref().map_or_else(|| State::empty(sizes), tables::adopt)
    }

    /// What is to be known of its layouts, if they are others.
    pub fn note(&self) -> Option<String> {
        let (number, ways) = (self.number, &self.ways);
        if ways.are_own() {
            return None;
        }
        let note = match ways.unreadable() {
            None => format!(
                "generation {number} has tables of another layout ({ways}): ids were read by the names of fields"
            ),
            Some(why) => format!(
                "generation {number} has tables of a layout that cannot be read ({why}): all ids are new"
            ),
        };
        Some(note)
    }

    /// Performs stores; an error says that some had to be left out, and the others are done.
    pub fn execute(&mut self, stores: &[Store]) -> Result<u64, ApplyError> {
        if self.writer.sets_keys() {
            return Ok(self.writer.execute(stores)?);
        }
        let stands =
            |id| self.view.as_ref().and_then(|view| view.service_meta(id)).is_some_and(|it| it.digest != 0);
        let possible = tables::without_keys(stores, stands);
        let done = self.writer.execute(&possible)?;
        let all = possible.len() == stores.len();
        all.then_some(done).ok_or(ApplyError::Keys { left_out: stores.len() - possible.len() })
    }
}
