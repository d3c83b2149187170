//! What cannot be carried over to another release, and what it costs to lose that.

use std::{collections::BTreeMap, os::fd::AsFd as _};

use evermesh_pins::{Inventory, Table, layout::Carried, sys::RawMap};
use serde::Serialize;

/// A map that nothing carries over. Field names stay.
#[derive(Debug, Serialize)]
pub struct Loss {
    /// What stands in it now; none: it cannot be counted.
    entries: Option<u64>,
    cost: &'static str,
    /// The user has declared it.
    pub declared: bool,
}

/// Those of the maps that programs write, which come over as `carried` says.
pub fn losses<'a>(
    carried: impl Fn(Table) -> Option<&'a Carried>,
    declared: &[Table],
    inventory: &Inventory,
) -> BTreeMap<Table, Loss> {
    let is_refused = |table: &Table| matches!(carried(*table), Some(Carried::Refused { .. }));
    let refused: Vec<_> = Table::CARRIED.into_iter().filter(is_refused).collect();
    let lost = Table::lost_with(&refused, carried(Table::Origins) == Some(&Carried::Shared));
    let loss = |table: Table| {
        let cost = table.loss().ok()?;
        Some((table, Loss { entries: entries(inventory, table), cost, declared: declared.contains(&table) }))
    };
    lost.into_iter().filter_map(loss).collect()
}

fn entries(inventory: &Inventory, table: Table) -> Option<u64> {
    let pin = inventory.frozen.get(&table)?;
    RawMap::new(pin.fd.as_fd()).and_then(|entries| entries.count()).ok()
}

impl Loss {
    /// In a column.
    pub fn in_short(&self) -> String {
        format!("lost, {}", self.entries())
    }

    /// On a line.
    pub fn in_words(&self, table: Table) -> String {
        let word = if self.declared { "is lost" } else { "could be lost" };
        format!("{table} {word}, {} now: {}", self.entries(), self.cost)
    }

    fn entries(&self) -> String {
        self.entries.map_or("nobody knows how many entries".into(), |entries| format!("{entries} entries"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Carried {
        Carried::Refused { reason: "a field".into() }
    }

    fn of(origins: &Carried, pairs: &Carried, declared: &[Table]) -> Vec<(Table, bool)> {
        let carried = |table| match table {
            Table::Origins => Some(origins),
            Table::UdpOrigins => Some(pairs),
            _ => None,
        };
        let losses = losses(carried, declared, &Inventory::default());
        losses.into_iter().map(|(table, loss)| (table, loss.declared)).collect()
    }

    #[test]
    fn what_comes_over_is_no_loss_whatever_is_declared() {
        for carried in [Carried::Shared, Carried::Migrated, Carried::SteppedDown] {
            assert_eq!(of(&carried, &carried, &Table::CARRIED), []);
        }
        let pairs = (Table::UdpOrigins, true);
        assert_eq!(of(&Carried::Shared, &refused(), &Table::CARRIED), [pairs]);
    }

    #[test]
    fn what_would_take_a_bridge_goes_with_what_cannot_cross_it() {
        for carried in [Carried::Migrated, Carried::SteppedDown, refused()] {
            let both = [(Table::Origins, false), (Table::UdpOrigins, true)];
            assert_eq!(of(&carried, &refused(), &[Table::UdpOrigins]), both);
        }
        assert_eq!(of(&refused(), &Carried::Shared, &[]).len(), 2);
    }

    #[test]
    fn a_loss_is_told_in_plain_words() {
        let cost = Table::UdpOrigins.loss().unwrap();
        let loss = |declared| Loss { entries: Some(12), cost, declared };
        insta::assert_snapshot!([false, true].map(|it| loss(it).in_words(Table::UdpOrigins)).join("\n"));
        assert_eq!(loss(true).in_short(), "lost, 12 entries");
    }
}
