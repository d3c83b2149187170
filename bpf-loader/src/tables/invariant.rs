use std::collections::BTreeMap;

use evermesh_abi::FrontendKey;
use evermesh_model::ServiceKey;

use super::{Meaning, State, Store, TableRead, Target, adopt};
use crate::lower::Lowered;

/// Model and tables do not agree.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Violation {
    /// A destination means something else than the model says.
    #[error("{key:?} leads to {tables:?}, the model says {model:?}")]
    Destination {
        /// Which.
        key: FrontendKey,
        /// What the tables say; `None`: nothing.
        tables: Option<Target>,
        /// What the model says; `None`: nothing.
        model: Option<Target>,
    },
    /// Something stands in the tables that belongs to nothing.
    #[error("the tables hold what belongs to nothing: {0:?}")]
    Stray(Store),
    /// The slots of a service overlap another's or hold what is no endpoint of it.
    #[error("the slots of service id {0} make no sense")]
    Slots(u32),
}

/// What must hold whenever no change is under way: each destination means exactly what the model says, with
/// the model's shares; no slot belongs to two services; every record, name and key belongs to something.
pub fn check(model: &BTreeMap<ServiceKey, Lowered>, tables: &impl TableRead) -> Result<(), Violation> {
    let (found, wanted) = (Meaning::of_tables(tables), Meaning::of_model(model));
    let differs = |key: &&FrontendKey| found.0.get(*key) != wanted.0.get(*key);
    if let Some(key) = found.0.keys().chain(wanted.0.keys()).find(differs) {
        let (tables, model) = (found.0.get(key).cloned(), wanted.0.get(key).cloned());
        return Err(Violation::Destination { key: *key, tables, model });
    }
    structure(&adopt(tables))
}

fn structure(state: &State) -> Result<(), Violation> {
    if let Some(stray) = state.strays.first() {
        return Err(Violation::Stray(*stray));
    }
    match state.services.iter().find(|service| service.broken) {
        Some(service) => Err(Violation::Slots(service.id)),
        None => Ok(()),
    }
}
