//! Random histories of meshes, planned and stored one store at a time on an image of the tables.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod drift;
mod held_up;
mod meshes;
mod plans;
mod prefixes;
mod resizes;

use std::{collections::BTreeMap, sync::LazyLock};

use evermesh_loader::{
    Lowered, TableSizes, lower_all,
    tables::{Change, Meaning, MemoryTables, State, Store},
};
use evermesh_model::{Delta, Place, ServiceKey, Snapshot};

static NOWHERE: LazyLock<Place> = LazyLock::new(Place::default);

const SIZES: TableSizes = TableSizes { services: 64, endpoints: 1024, ..TableSizes::DEFAULT };

fn lowered(snapshot: &Snapshot) -> BTreeMap<ServiceKey, Lowered> {
    lower_all(snapshot, &NOWHERE).collect()
}

fn everything(snapshot: &Snapshot) -> Change<'_> {
    Change::everything(snapshot, &NOWHERE)
}

fn difference(state: &State, before: &Snapshot, after: &Snapshot) -> Change<'static> {
    Change::of(state, Delta::between(before, after), after, &NOWHERE)
}

/// Performs the stores one by one; after each, the tables must mean the old or the new state.
fn store_all(tables: &mut MemoryTables, stores: &[Store], after: &Snapshot) -> Result<(), String> {
    let states = [Meaning::of_tables(tables), Meaning::of_model(&lowered(after))];
    for store in stores {
        if !tables.store(store) {
            return Err(format!("{store:?} is beyond the table"));
        }
        if let Some(stray) = Meaning::of_tables(tables).stray(&states) {
            return Err(format!("after {store:?}: {stray}"));
        }
    }
    Ok(())
}
