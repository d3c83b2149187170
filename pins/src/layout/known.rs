use super::{Carried, Change, Declared, Description, Difference, Field, FieldDifference, Kernel};
use crate::{Layout, Table, sys::MapInfo};

/// Which of the layouts that this release knows a frozen map has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// That which it reads and writes.
    Own,
    /// That of the release before, which it can carry over, and step down to.
    Before,
}

/// A frozen map has neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("of another layout than this release knows: {0}")]
pub struct Unknown(pub String);

impl Kernel {
    /// Asks for a frozen map's fields. Where the kernel does not tell them, its bytes decide.
    pub fn known(&mut self, table: Table, info: &MapInfo) -> Result<Known, Unknown> {
        let own = table.description();
        let Ok(found) = self.describe_frozen(table, info) else {
            return by_bytes(table, &info.layout);
        };
        if found.is_shared_with(&own, table) {
            Ok(Known::Own)
        } else if found.is_shared_with(&table.description_before(), table) {
            Ok(Known::Before)
        } else {
            let difference = Difference::between(&found, &own, &table.declared());
            Err(Unknown(difference.first().unwrap_or_else(|| bytes(table, &info.layout))))
        }
    }
}

fn by_bytes(table: Table, found: &Layout) -> Result<Known, Unknown> {
    if found.has_bytes_of(&table.layout()) {
        Ok(Known::Own)
    } else if found.has_bytes_of(&table.layout_before()) {
        Ok(Known::Before)
    } else {
        Err(Unknown(bytes(table, found)))
    }
}

fn bytes(table: Table, found: &Layout) -> String {
    format!("expected a {}; found a {found}", table.layout())
}

impl Description {
    /// Whether programs of both layouts can use the same entries of `table`.
    pub fn is_shared_with(&self, other: &Self, table: Table) -> bool {
        self.is_shared(other, table, &table.declared())
    }

    /// The same, with names that another release declares.
    pub fn is_shared(&self, other: &Self, table: Table, declared: &Declared) -> bool {
        Carried::of(table, self, other, declared) == Carried::Shared
    }
}

impl Difference {
    /// The first thing that keeps both from using the same entries, for people; none: there is none.
    pub fn first(&self) -> Option<String> {
        let map = self.map.iter().map(ToString::to_string).next();
        let field = |key| move |field: &FieldDifference| field.in_words(key);
        let in_key = self.key.iter().find_map(field(true));
        in_key.or_else(|| self.value.iter().find_map(field(false))).or(map)
    }
}

impl FieldDifference {
    fn in_words(&self, key: bool) -> Option<String> {
        let what = if key { "the key's field" } else { "field" };
        let place = |field: &Field| format!("{field} at {}", field.offset);
        match (&self.before, &self.after) {
            _ if self.changes.iter().all(|change| *change == Change::Renamed) => None,
            (Some(before), Some(after)) => {
                Some(format!("{what} {} is {}, and was {}", after.name, place(after), place(before)))
            }
            (Some(gone), None) => Some(format!("{what} {} ({}) is not known to it", gone.name, place(gone))),
            (None, Some(new)) => Some(format!("{what} {} ({}) is missing", new.name, place(new))),
            (None, None) => None,
        }
    }
}
