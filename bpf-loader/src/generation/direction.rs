use evermesh_pins::{BridgeEnd, Table};

use crate::Part;

/// Which layouts the frozen maps have that a change brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those of this release.
    Up,
    /// Those of the release before, which is to follow.
    Down,
}

impl Direction {
    /// The programs that are attached in the end.
    pub fn programs(self) -> Part {
        match self {
            Self::Up => Part::Current,
            Self::Down => Part::Before,
        }
    }

    /// Those of an end of the bridge.
    pub fn bridge(self, end: BridgeEnd) -> Part {
        match (self, end) {
            (Self::Up, BridgeEnd::Near) | (Self::Down, BridgeEnd::Far) => Part::Up,
            (Self::Up, BridgeEnd::Far) | (Self::Down, BridgeEnd::Near) => Part::Down,
        }
    }

    /// Name in the eBPF objects of a map that is brought.
    pub fn brought(self, table: Table) -> &'static str {
        match self {
            Self::Up => table.symbol(),
            Self::Down => table.symbol_before(),
        }
    }

    /// Name in the bridge's of the map whose place it takes.
    pub fn in_use(self, table: Table) -> &'static str {
        match self {
            Self::Up => Self::Down.brought(table),
            Self::Down => Self::Up.brought(table),
        }
    }
}
