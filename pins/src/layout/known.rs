use super::{Carried, Change, Declared, Description, Difference, Field, FieldDifference, Kernel};
use crate::{Table, sys::MapInfo};

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
    /// Which layout a frozen map has. The error says what keeps it from being this release's own.
    pub fn known(&mut self, table: Table, info: &MapInfo) -> Result<Known, Unknown> {
        let Err(differs) = self.is_shared_with(table, info, &table.description()) else {
            return Ok(Known::Own);
        };
        let before = self.is_shared_with(table, info, &table.description_before());
        before.map(|()| Known::Before).map_err(|_| Unknown(differs))
    }

    /// Whether programs that know `table` in that layout can use a frozen map, and if not, why. Where the kernel does not tell its
    /// fields, its bytes decide.
    pub fn is_shared_with(
        &mut self,
        table: Table,
        info: &MapInfo,
        layout: &Description,
    ) -> Result<(), String> {
        let bytes = || format!("expected a {}; found a {}", layout.layout(), info.layout);
        match self.describe_frozen(info) {
            Ok(found) if found.is_shared_with(layout, table) => Ok(()),
            Ok(found) => {
                let difference = Difference::between(&found, layout, &table.declared());
                Err(difference.first().unwrap_or_else(bytes))
            }
            Err(_) if info.layout.has_bytes_of(&layout.layout()) => Ok(()),
            Err(_) => Err(bytes()),
        }
    }
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
