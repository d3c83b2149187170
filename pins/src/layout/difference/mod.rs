use std::fmt;

use serde::Serialize;

use super::{Declared, Description, Field, FieldKind, Record, Translation, ways::rebuilding};
use crate::{MapKind, Table};

/// What tells two layouts of a map apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of the map as a whole; empty: it differs in fields at most.
    pub map: Vec<MapChange>,
    /// Field by field, those of both.
    pub key: Vec<FieldDifference>,
    /// Likewise.
    pub value: Vec<FieldDifference>,
}

/// What differs of a map as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MapChange {
    /// It is another type of map.
    Kind {
        /// Before.
        from: MapKind,
        /// After.
        to: MapKind,
    },
    /// It is made with other flags.
    Flags {
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// It has another number of elements.
    Resized {
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// Its fields mean something else.
    Meaning {
        /// Revision before.
        from: u32,
        /// Revision after.
        to: u32,
    },
    /// Its keys are others.
    Key,
}

impl fmt::Display for MapChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { from, to } => write!(f, "{from:?} map becomes {to:?} map"),
            Self::Flags { from, to } => write!(f, "flags {from:#x} become {to:#x}"),
            Self::Resized { from, to } => write!(f, "{from} entries become {to}"),
            Self::Meaning { from, to } => write!(f, "another meaning, revision {from} becomes {to}"),
            Self::Key => f.write_str("another key"),
        }
    }
}

/// One field before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// As it was; none: it was not there.
    pub before: Option<Field>,
    /// As it is; none: it is gone.
    pub after: Option<Field>,
    /// What became of it; empty: it is kept.
    pub changes: Vec<Change>,
}

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is new, and zero where there was an entry before.
    Added,
    /// It is gone.
    Removed,
    /// It has another name.
    Renamed,
    /// It stands elsewhere.
    Moved,
    /// It has more room.
    Widened,
    /// It has less room: what does not fit is lost.
    Narrowed,
    /// It is of another kind.
    Incompatible,
}

/// How a map comes from one release to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Carried {
    /// Both use the same map.
    Shared,
    /// It is made anew from the model; ids are read from the old one by the names of its fields.
    Rebuilt,
    /// It is made anew from the model, and so are ids: the old ones cannot be read, for this reason.
    RebuiltWithoutIds {
        /// Why.
        reason: String,
    },
    /// It counts from zero in each generation.
    CountedAnew,
    /// Its entries are carried over into a map of the new layout: while programs write them, or writers wait.
    Migrated,
    /// The committed release carries its entries over into a map of the layout of the release before, which is the candidate's.
    SteppedDown,
    /// There is no way.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Difference {
    /// From `before` to `after`.
    pub fn between(before: &Description, after: &Description, declared: &Declared) -> Self {
        let mut map = Vec::new();
        if before.kind != after.kind {
            map.push(MapChange::Kind { from: before.kind, to: after.kind });
        }
        if before.flags != after.flags {
            map.push(MapChange::Flags { from: before.flags, to: after.flags });
        }
        if let (Some(from), Some(to)) = (before.max_entries, after.max_entries)
            && from != to
        {
            map.push(MapChange::Resized { from, to });
        }
        if before.revision != after.revision && before.revision != 0 && after.revision != 0 {
            map.push(MapChange::Meaning { from: before.revision, to: after.revision });
        }
        if before.key != after.key {
            map.push(MapChange::Key);
        }
        Self {
            map,
            key: fields(&before.key, &after.key, declared),
            value: fields(&before.value, &after.value, declared),
        }
    }

    /// Whether the fields and what they mean are the same, whatever the size.
    pub fn is_none(&self) -> bool {
        let sized = |change: &MapChange| matches!(change, MapChange::Resized { .. });
        self.map.iter().all(sized) && self.fields().all(|field| field.changes.is_empty())
    }

    /// Of the key and of the value.
    pub fn fields(&self) -> impl Iterator<Item = &FieldDifference> {
        self.key.iter().chain(&self.value)
    }
}

impl Carried {
    /// How `table` comes from `before` to `after`.
    pub fn of(table: Table, before: &Description, after: &Description, declared: &Declared) -> Self {
        let of_generation = Table::OF_GENERATION.contains(&table);
        let translation = match table {
            _ if of_generation => rebuilding(table, before, after, declared),
            Table::Enrolled => {
                Translation::narrowing(before, after, declared).map_err(|error| error.to_string())
            }
            _ => Translation::between(before, after, declared).map_err(|error| error.to_string()),
        };
        let same = before.is_like(after);
        match (table, translation) {
            (Table::Turns | Table::Counters, _) => Self::CountedAnew,
            (_, Ok(_)) if of_generation => Self::Rebuilt,
            (_, Err(reason)) if of_generation => Self::RebuiltWithoutIds { reason },
            _ if same || may_share(before, after, declared) => Self::Shared,
            (_, Ok(_)) if Table::BROUGHT.contains(&table) => Self::Migrated,
            (_, Err(reason)) => Self::Refused { reason },
            (_, Ok(_)) => Self::Refused {
                reason: "all releases on the node share it, so a new field has to stand in its reserve"
                    .into(),
            },
        }
    }
}

/// Whether programs and processes of both can use the same entries: whatever only one of them knows stands in what is
/// zero for the other.
fn may_share(before: &Description, after: &Description, declared: &Declared) -> bool {
    let whole = |it: &Description| (it.kind, it.flags, it.key.clone(), it.value.size);
    let difference = Difference::between(before, after, declared);
    let meaning = difference.map.iter().any(|change| matches!(change, MapChange::Meaning { .. }));
    let free = |field: &FieldDifference| match (&field.before, &field.after) {
        (Some(_), Some(_)) => field.changes.iter().all(|change| *change == Change::Renamed),
        (Some(own), None) => lies_in_filler(own, &after.value),
        (None, Some(own)) => lies_in_filler(own, &before.value),
        (None, None) => true,
    };
    whole(before) == whole(after) && !meaning && difference.value.iter().all(free)
}

fn lies_in_filler(field: &Field, record: &Record) -> bool {
    record.fields.iter().any(|it| it.is_filler() && it.offset <= field.offset && field.end() <= it.end())
}

/// Pairs the fields of both, by name; fillers are no fields. In the order of `after`, those that are gone last.
fn fields(before: &Record, after: &Record, declared: &Declared) -> Vec<FieldDifference> {
    let own = |record: &Record| -> Vec<Field> {
        record.fields.iter().filter(|field| !field.is_filler()).cloned().collect()
    };
    let mut left = own(before);
    let mut all: Vec<FieldDifference> = own(after)
        .into_iter()
        .map(|field| {
            let found = left.iter().position(|it| declared.are_one(&it.name, &field.name));
            let before = found.map(|at| left.remove(at));
            let changes = before.as_ref().map_or(vec![Change::Added], |before| changes(before, &field));
            FieldDifference { before, after: Some(field), changes }
        })
        .collect();
    let gone = |field| FieldDifference { before: Some(field), after: None, changes: vec![Change::Removed] };
    all.extend(left.into_iter().map(gone));
    all
}

fn changes(before: &Field, after: &Field) -> Vec<Change> {
    let renamed = (before.name != after.name).then_some(Change::Renamed);
    let moved = (before.offset != after.offset).then_some(Change::Moved);
    [renamed, moved, resized(before, after)].into_iter().flatten().collect()
}

fn resized(before: &Field, after: &Field) -> Option<Change> {
    use FieldKind::{Numbers, Unsigned};
    let count = |field: &Field, element: u32| field.size / element.max(1);
    let (from, to) = match (before.kind, after.kind) {
        (from, to) if from == to && before.size == after.size => return None,
        (Unsigned, Unsigned) => ([before.size; 2], [after.size; 2]),
        (Numbers(from), Numbers(to)) => ([from, count(before, from)], [to, count(after, to)]),
        _ => return Some(Change::Incompatible),
    };
    let fits = |small: [u32; 2], large: [u32; 2]| small[0] <= large[0] && small[1] <= large[1];
    match (fits(from, to), fits(to, from)) {
        (true, _) => Some(Change::Widened),
        (_, true) => Some(Change::Narrowed),
        _ => Some(Change::Incompatible),
    }
}

#[cfg(test)]
mod tests;
