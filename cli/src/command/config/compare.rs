use std::collections::BTreeMap;

use evermesh_abi::FrontendKey;
use evermesh_loader::tables::{Meaning, Target};

/// What becomes of a destination; `None`: it is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// By the source.
    pub source: Option<Target>,
    /// By the tables.
    pub tables: Option<Target>,
}

/// The destinations of which something else becomes than should.
pub fn differences(source: &Meaning, tables: &Meaning) -> BTreeMap<FrontendKey, Sides> {
    let sides =
        |key: &FrontendKey| Sides { source: source.0.get(key).cloned(), tables: tables.0.get(key).cloned() };
    let differs = |key: &&FrontendKey| source.0.get(*key) != tables.0.get(*key);
    source.0.keys().chain(tables.0.keys()).filter(differs).map(|key| (*key, sides(key))).collect()
}
