//! Whether the next generation brings `enrolled` anew.

use evermesh_pins::{EnrolmentError, PodMap, Table};

use super::{ApplyError, Config, carry::Carrying};
use crate::generation::Direction;

impl Carrying {
    /// `enrolled` comes anew where it has another layout than the programs that follow, or another size than is asked for.
    pub fn with_pods(mut self, config: &Config) -> Result<Self, ApplyError> {
        let map = PodMap::open(&config.pins.frozen_map(Table::Enrolled)).map_err(EnrolmentError::from)?;
        let programs = match self.direction {
            Direction::Down => Table::Enrolled.description_before(),
            Direction::Up | Direction::Level => Table::Enrolled.description(),
        };
        if !map.is_for(&programs) {
            self.bring_pods(format!("{} of another layout", Table::Enrolled));
        }
        let (entries, wanted) = (map.room(), config.sizes.pods);
        let used = if wanted < entries { map.list()?.len() as u64 } else { 0 };
        self.resize_pods(entries, used, wanted);
        Ok(self)
    }

    fn resize_pods(&mut self, entries: u32, used: u64, wanted: u32) {
        if let Some(why) = self.resized(Table::Enrolled, entries, wanted, used, "pods are enrolled") {
            self.bring_pods(why);
        }
    }

    fn bring_pods(&mut self, why: String) {
        if !self.tables.contains(&Table::Enrolled) {
            self.tables.push(Table::Enrolled);
        }
        self.reason.get_or_insert(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TableSizes;

    fn resized(entries: u32, used: u64, wanted: u32) -> Carrying {
        let mut carrying = Carrying::none(TableSizes::default(), Direction::Level);
        carrying.resize_pods(entries, used, wanted);
        carrying
    }

    #[test]
    fn another_size_brings_it_alone() {
        for (entries, used, wanted) in [(4096, 0, 8192), (4096, 48, 64)] {
            let carrying = resized(entries, used, wanted);
            assert_eq!((carrying.tables, carrying.notes.len()), (vec![Table::Enrolled], 0));
            let reason = format!("enrolled resized from {entries} to {wanted} entries");
            assert_eq!(carrying.reason, Some(reason));
        }
        assert_eq!(resized(64, 64, 64).tables, []);
    }

    #[test]
    fn a_map_that_would_not_hold_the_pods_keeps_its_size() {
        let carrying = resized(4096, 49, 64);
        assert_eq!((carrying.tables.len(), carrying.reason, carrying.sizes.pods), (0, None, 4096));
        assert_eq!(
            carrying.notes,
            ["enrolled stays at 4096 entries: 49 pods are enrolled, and 64 are room for 48 only"]
        );
    }
}
