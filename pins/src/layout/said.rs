use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Declared, Description};
use crate::{PinDir, Table};

/// What a release's agent says of its layouts, when it is asked. Field names stay, and what is not known is ignored: another
/// release may read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layouts {
    /// What it makes, by the name of the map.
    pub current: BTreeMap<String, Description>,
    /// What it can carry over or run over beside that.
    pub before: BTreeMap<String, Description>,
    /// Fields that have other names in other releases.
    #[serde(default)]
    pub renamed: Vec<Renamed>,
    /// Where it pins something: [`PinDir::places`]. Empty for releases that did not say it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
}

/// A field with two names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renamed {
    /// The map.
    pub table: String,
    /// The earlier name.
    pub before: String,
    /// The later one.
    pub now: String,
}

impl Layouts {
    /// Those of this release, for objects with these maps.
    pub fn of_release(current: &BTreeMap<Table, Description>, before: &BTreeMap<Table, Description>) -> Self {
        let named = |(table, it): (&Table, &Description)| (table.name().to_owned(), it.clone());
        let [current, before] = [current, before].map(|all| all.iter().map(named).collect());
        let renamed = evermesh_abi::RENAMED.iter().map(|it| Renamed {
            table: it.table.to_owned(),
            before: it.before.to_owned(),
            now: it.now.to_owned(),
        });
        Self { before, current, renamed: renamed.collect(), places: PinDir::places() }
    }

    /// Which fields of a table have another name in another release: before, and now.
    fn renamed(&self, table: Table) -> impl Iterator<Item = (String, String)> {
        let own = self.renamed.iter().filter(move |renamed| renamed.table == table.name());
        own.map(|it| (it.before.clone(), it.now.clone()))
    }
}

impl Table {
    /// What is [declared](Self::declared) of it here and by these releases: the later ones know the names of the earlier ones.
    pub fn declared_with<'a>(self, releases: impl IntoIterator<Item = &'a Layouts>) -> Declared {
        let mut declared = self.declared();
        declared.renamed.extend(releases.into_iter().flat_map(|said| said.renamed(self)));
        declared
    }
}
