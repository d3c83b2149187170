use evermesh_pins::{BridgeEnd, Table, layout::Description};

use crate::Part;

/// From which layouts to which ones frozen maps are brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From those of the release before to those of this release.
    Up,
    /// Those of this release stay; sizes change.
    Level,
    /// From those of this release to those of the release before, which is to follow.
    Down,
}

impl Direction {
    /// The programs that are attached in the end.
    pub fn programs(self) -> Part {
        match self {
            Self::Up | Self::Level => Part::Current,
            Self::Down => Part::Before,
        }
    }

    /// Those of an end of the bridge.
    pub fn bridge(self, end: BridgeEnd) -> Part {
        match (self, end) {
            (Self::Level, _) => Part::Level,
            (Self::Up, BridgeEnd::Near) | (Self::Down, BridgeEnd::Far) => Part::Up,
            (Self::Up, BridgeEnd::Far) | (Self::Down, BridgeEnd::Near) => Part::Down,
        }
    }

    /// Name in the eBPF object of the map that is in use in the end.
    pub fn map(self, table: Table) -> &'static str {
        match self {
            Self::Up | Self::Level => table.symbol(),
            Self::Down => table.symbol_before(),
        }
    }

    /// Names in an end's object of the map in use and of the one that takes its place. On the level one object is both ends: it
    /// reads the first of its maps.
    pub fn bridged(self, end: BridgeEnd, table: Table) -> [&'static str; 2] {
        match (self, end) {
            (Self::Up, _) => [table.symbol_before(), table.symbol()],
            (Self::Down, _) => [table.symbol(), table.symbol_before()],
            (Self::Level, BridgeEnd::Near) => [table.symbol(), table.symbol_beside()],
            (Self::Level, BridgeEnd::Far) => [table.symbol_beside(), table.symbol()],
        }
    }

    /// The layout of the map in use, and of the one that takes its place.
    pub fn layouts(self, table: Table) -> [Description; 2] {
        let (own, before) = (table.description(), table.description_before());
        match self {
            Self::Up => [before, own],
            Self::Level => [own.clone(), own],
            Self::Down => [own, before],
        }
    }
}
