//! Which frozen maps the next generation brings anew.

use evermesh_pins::{FrozenMap, Table};

use super::{ApplyError, Config};
use crate::{
    TableSizes,
    generation::{self, Direction},
};

/// What becomes of the frozen maps that a generation may bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrying {
    /// Whose layouts they have then.
    pub direction: Direction,
    /// Those that the next generation brings: of those that programs write, all or none.
    pub tables: Vec<Table>,
    /// The sizes that are asked for, but for maps that must keep theirs.
    pub sizes: TableSizes,
    /// Why they are brought anew.
    pub reason: Option<String>,
    /// Why a map keeps its size although another one is asked for.
    pub notes: Vec<String>,
}

/// A frozen map as it is pinned.
struct Pinned {
    entries: u32,
    /// How many of them are in use; only counted where the map is to become smaller.
    used: usize,
    /// It has this release's layout.
    of_this_release: bool,
}

impl Pinned {
    fn of(config: &Config, table: Table, wanted: u32) -> Result<Self, ApplyError> {
        let map = FrozenMap::open_to_carry(&config.pins, table)?;
        let entries = map.info.max_entries;
        let of_this_release = map.info.layout.has_bytes_of(&table.layout());
        let used = if wanted < entries { generation::used(&map)? } else { 0 };
        Ok(Self { entries, used, of_this_release })
    }
}

impl Carrying {
    /// Compares what is pinned with what is asked for. The way down is only gone to carry all.
    pub fn planned(config: &Config, direction: Direction) -> Result<Self, ApplyError> {
        let mut carrying = Self::none(config.sizes, direction);
        if direction == Direction::Down {
            carrying.tables = Table::CARRIED.to_vec();
        }
        for table in Table::CARRIED {
            let wanted = config.sizes.entries(table);
            carrying.compare(table, &Pinned::of(config, table, wanted)?, wanted);
        }
        carrying.with_pods(config)
    }

    pub(super) fn none(sizes: TableSizes, direction: Direction) -> Self {
        Self { direction, tables: Vec::new(), sizes, reason: None, notes: Vec::new() }
    }

    fn compare(&mut self, table: Table, standing: &Pinned, wanted: u32) {
        let Pinned { entries, used, of_this_release } = *standing;
        if !of_this_release {
            self.tables = Table::CARRIED.to_vec();
            self.reason.get_or_insert(format!("{table} of another layout"));
        }
        if wanted == entries {
            return;
        }
        if wanted < entries && !holds(wanted, used) {
            self.sizes = self.sizes.with_entries(table, entries);
            self.notes.push(format!(
                "{table} stays at {entries} entries: {used} are in use, and {wanted} are room for {} only",
                room(wanted)
            ));
            return;
        }
        self.tables = Table::CARRIED.to_vec();
        self.reason.get_or_insert(format!("{table} resized from {entries} to {wanted} entries"));
    }
}

/// Sockets that are opened meanwhile need room too.
pub(super) fn room(entries: u32) -> u32 {
    entries / 4 * 3
}

pub(super) fn holds(entries: u32, used: usize) -> bool {
    u32::try_from(used).is_ok_and(|used| used <= room(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Carrying {
        Carrying::none(TableSizes::default(), Direction::Up)
    }

    fn compared(entries: u32, used: usize, wanted: u32) -> Carrying {
        let mut carrying = none();
        carrying.compare(Table::UdpOrigins, &Pinned { entries, used, of_this_release: true }, wanted);
        carrying
    }

    #[test]
    fn a_map_of_the_size_asked_for_stays() {
        assert_eq!(compared(1000, 1000, 1000), none());
    }

    #[test]
    fn another_size_brings_all_maps_that_programs_write() {
        for (used, wanted) in [(1000, 1004), (0, 500), (375, 500)] {
            let carrying = compared(1000, used, wanted);
            assert_eq!((carrying.tables, carrying.notes.len()), (Table::CARRIED.to_vec(), 0));
            let reason = format!("udp_origins resized from 1000 to {wanted} entries");
            assert_eq!(carrying.reason, Some(reason));
        }
    }

    #[test]
    fn a_map_that_would_not_hold_what_is_in_use_keeps_its_size() {
        let carrying = compared(1000, 376, 500);
        assert_eq!((carrying.tables.len(), carrying.reason), (0, None));
        assert_eq!(carrying.sizes.udp_origins, 1000);
        assert_eq!(
            carrying.notes,
            ["udp_origins stays at 1000 entries: 376 are in use, and 500 are room for 375 only"]
        );
    }
}
