use evermesh_pins::{GenerationPins, PinDir, TablesView};

use super::ApplyError;
use crate::tables::TableWriter;

/// The generation that traffic runs on.
#[derive(Debug)]
pub struct Live {
    pub number: u32,
    pub pins: GenerationPins,
    /// Read-only.
    pub view: TablesView,
    /// Maps the tables writable at its first store.
    pub writer: TableWriter,
}

impl Live {
    pub fn open(dir: &PinDir, number: u32, pins: GenerationPins) -> Result<Self, ApplyError> {
        let view = TablesView::open(dir, number, &pins)?;
        let writer = TableWriter::new(|table| pins.tables.get(&table))?;
        Ok(Self { number, pins, view, writer })
    }

    pub fn read_frontends(&mut self, dir: &PinDir) -> Result<(), ApplyError> {
        Ok(self.view.read_frontends(dir, self.number, &self.pins)?)
    }
}
