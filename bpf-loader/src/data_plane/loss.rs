//! Which frozen maps the next generation brings without what stands in them.

use evermesh_pins::{
    FrozenMap, Table,
    layout::{Known, Unknown},
};

use super::{ApplyError, carry::Carrying};
use crate::{TableSizes, generation::Direction};

impl Carrying {
    /// Loses what nobody can carry over of the maps that were `found`, in the order of [`Table::CARRIED`], if all of that is declared.
    pub(super) fn losing(
        sizes: TableSizes,
        found: &[(FrozenMap, Result<Known, Unknown>); 2],
        accepted: &[Table],
    ) -> Result<Self, ApplyError> {
        let [origins, pairs] = found.each_ref().map(|(_, known)| known);
        let lost = lost([origins, pairs], accepted)?;
        let mut carrying = Self::none(sizes, Direction::Level);
        carrying.reason = (!lost.is_empty()).then(|| format!("{} given up", Table::names(&lost)));
        let kept = accepted.iter().filter(|table| !lost.contains(table));
        carrying.notes.extend(
            kept.map(|table| format!("{table} keeps what stands in it, although its loss was declared")),
        );
        carrying.tables.clone_from(&lost);
        carrying.lost = lost;
        Ok(carrying)
    }
}

fn lost(known: [&Result<Known, Unknown>; 2], accepted: &[Table]) -> Result<Vec<Table>, ApplyError> {
    let unknown =
        Table::CARRIED.into_iter().zip(known).filter_map(|(table, it)| Some((table, it.as_ref().err()?)));
    let unknown: Vec<_> = unknown.collect();
    let tables: Vec<_> = unknown.iter().map(|(table, _)| *table).collect();
    let lost = Table::lost_with(&tables, *known[0] == Ok(Known::Own));
    match unknown.first() {
        Some(&(table, unknown)) if !lost.iter().all(|table| accepted.contains(table)) => {
            Err(ApplyError::Undeclared { table, unknown: unknown.clone(), flag: Table::names(&lost) })
        }
        _ => Ok(lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Result<Known, Unknown> = Ok(Known::Own);
    const BEFORE: Result<Known, Unknown> = Ok(Known::Before);

    fn unknown() -> Result<Known, Unknown> {
        Err(Unknown("a field".into()))
    }

    #[test]
    fn what_can_be_carried_over_is_not_lost_whatever_is_declared() {
        for known in [[&OWN, &OWN], [&BEFORE, &BEFORE]] {
            assert_eq!(lost(known, &Table::CARRIED).unwrap(), []);
        }
        assert_eq!(lost([&OWN, &unknown()], &Table::CARRIED).unwrap(), [Table::UdpOrigins]);
    }

    #[test]
    fn a_loss_is_refused_unless_all_of_it_is_declared() {
        for known in [[&unknown(), &OWN], [&unknown(), &unknown()], [&BEFORE, &unknown()]] {
            for accepted in [&[][..], &[Table::Origins], &[Table::UdpOrigins]] {
                let refused = lost(known, accepted).unwrap_err().to_string();
                assert!(
                    refused.ends_with("declare their loss: --accept-loss origins,udp_origins"),
                    "{refused}"
                );
            }
            assert_eq!(lost(known, &Table::CARRIED).unwrap(), Table::CARRIED);
        }
    }
}
