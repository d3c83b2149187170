//! Which frozen maps the next generation brings anew.

use evermesh_pins::{FrozenMap, Table, layout::Known};

use super::{ApplyError, Config};
use crate::{
    TableSizes,
    generation::{self, Direction},
};

/// What becomes of the frozen maps that a generation may bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrying {
    /// From which layouts to which ones.
    pub direction: Direction,
    /// Those that the next generation brings: of those that programs write, all or none.
    pub tables: Vec<Table>,
    /// Those of them that come without what stands in them: nothing can carry it over, and its loss is declared.
    pub lost: Vec<Table>,
    /// The sizes that are asked for, but for maps that must keep theirs.
    pub sizes: TableSizes,
    /// Why they are brought anew.
    pub reason: Option<String>,
    /// Why a map keeps its size although another one is asked for.
    pub notes: Vec<String>,
    known: Vec<(Table, Known)>,
}

/// A frozen map as it is pinned.
struct Pinned {
    entries: u32,
    /// How many of them are in use; only counted where the map is to become smaller.
    used: u64,
    known: Known,
}

impl Pinned {
    fn of(map: &FrozenMap, known: Known, wanted: u32) -> Result<Self, ApplyError> {
        let entries = map.info.max_entries;
        let used = if wanted < entries { generation::used(map)? } else { 0 };
        Ok(Self { entries, used, known })
    }
}

impl Carrying {
    /// Compares what is pinned with what this release makes: up, or on the level to another size, or without what nobody can carry
    /// over.
    pub fn planned(config: &Config) -> Result<Self, ApplyError> {
        Self::compared(config, &config.accept_loss)?.in_one_direction()?.with_pods(config)
    }

    /// Carries all to the layouts of the release before.
    pub fn down(config: &Config) -> Result<Self, ApplyError> {
        let standing = Self::compared(config, &[])?;
        let down = Self { direction: Direction::Down, tables: Table::CARRIED.to_vec(), ..standing };
        down.in_one_direction()?.with_pods(config)
    }

    fn compared(config: &Config, accept_loss: &[Table]) -> Result<Self, ApplyError> {
        let [origins, pairs] = Table::CARRIED.map(|table| FrozenMap::open_any(&config.pins, table));
        let found = [origins?, pairs?];
        let mut carrying = Self::losing(config.sizes, &found, accept_loss)?;
        for (table, (map, known)) in Table::CARRIED.into_iter().zip(&found) {
            let Ok(known) = *known else { continue };
            if carrying.lost.contains(&table) {
                continue;
            }
            let entries = map.info.max_entries;
            // Another size would take a bridge, which carries all or none. It comes with the next change.
            let wanted = if carrying.lost.is_empty() { config.sizes.entries(table) } else { entries };
            carrying.sizes = carrying.sizes.with_entries(table, wanted);
            carrying.compare(table, &Pinned::of(map, known, wanted)?, wanted);
        }
        Ok(carrying)
    }

    pub(super) fn none(sizes: TableSizes, direction: Direction) -> Self {
        Self {
            direction,
            tables: Vec::new(),
            lost: Vec::new(),
            sizes,
            reason: None,
            notes: Vec::new(),
            known: Vec::new(),
        }
    }

    /// All maps are to be of the layouts that the direction leads away from.
    fn in_one_direction(self) -> Result<Self, ApplyError> {
        let from = if self.direction == Direction::Up { Known::Before } else { Known::Own };
        let differs = |(table, known): &&(Table, Known)| *known != from && has_two_layouts(*table);
        match self.known.iter().find(differs) {
            Some(&(table, _)) => Err(ApplyError::Mixed { table }),
            None => Ok(self),
        }
    }

    fn compare(&mut self, table: Table, standing: &Pinned, wanted: u32) {
        let Pinned { entries, used, known } = *standing;
        self.known.push((table, known));
        if known == Known::Before {
            self.direction = Direction::Up;
            self.tables = Table::CARRIED.to_vec();
            self.reason.get_or_insert(format!("{table} of another layout"));
        }
        if let Some(why) = self.resized(table, entries, wanted, used, "are in use") {
            self.tables = Table::CARRIED.to_vec();
            self.reason.get_or_insert(why);
        }
    }

    /// Why a map of so many entries, of which some `are` something, is to have another size; a note, where it must keep its own.
    pub(super) fn resized(
        &mut self,
        table: Table,
        entries: u32,
        wanted: u32,
        used: u64,
        are: &str,
    ) -> Option<String> {
        if wanted < entries && !holds(wanted, used) {
            self.sizes = self.sizes.with_entries(table, entries);
            self.notes.push(format!(
                "{table} stays at {entries} entries: {used} {are}, and {wanted} are room for {} only",
                room(wanted)
            ));
            return None;
        }
        (wanted != entries).then(|| format!("{table} resized from {entries} to {wanted} entries"))
    }
}

/// Whether the release before has another one than this.
fn has_two_layouts(table: Table) -> bool {
    !table.description_before().is_shared_with(&table.description(), table)
}

/// Sockets that are opened meanwhile need room too.
fn room(entries: u32) -> u32 {
    entries / 4 * 3
}

fn holds(entries: u32, used: u64) -> bool {
    used <= room(entries).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Carrying {
        Carrying::none(TableSizes::default(), Direction::Level)
    }

    fn compared(entries: u32, used: u64, wanted: u32) -> Carrying {
        let mut carrying = none();
        carrying.compare(Table::UdpOrigins, &Pinned { entries, used, known: Known::Own }, wanted);
        carrying
    }

    #[test]
    fn a_map_of_the_size_asked_for_stays() {
        let compared = compared(1000, 1000, 1000);
        assert_eq!((compared.tables, compared.reason), (Vec::new(), None));
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
