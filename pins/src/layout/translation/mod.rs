use std::{fmt, io};

use super::{Change, Description, Difference, Field, FieldDifference, FieldKind, MapChange, Record};
use crate::{
    MapKind,
    sys::{self, Plain},
};

const _: () = assert!(cfg!(target_endian = "little"), "the kernel programs are built for little-endian ones");

/// What is declared of two layouts, beside what can be seen of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// Names of one field: in one of both layouts, and in the other. Either may be the earlier one.
    pub renamed: Vec<(String, String)>,
    /// Fields of values that may lose what does not fit, by their name afterwards.
    pub lossy: Vec<String>,
    /// Keys may lose fields: whoever translates them sees to entries that become one.
    pub merged: bool,
}

/// Makes entries of one layout entries of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Of keys.
    pub key: Copies,
    /// Of values.
    pub value: Copies,
}

/// What is copied from one record to another; whatever is not is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    from: usize,
    to: usize,
    copies: Vec<Copy>,
    /// Bytes of fields that get less room.
    cut: Vec<usize>,
    /// Both records are the same.
    identity: bool,
}

/// Bytes that are taken over as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Copy {
    from: usize,
    to: usize,
    len: usize,
}

/// There is no way from one layout to another without losing something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untranslatable {
    /// Arrays have every index, hashes do not.
    #[error("a {from:?} map became a {to:?} map")]
    Kind {
        /// Before.
        from: MapKind,
        /// After.
        to: MapKind,
    },
    /// The fields mean something else.
    #[error("the fields mean something else: revision {from} became {to}")]
    Meaning {
        /// Revision before.
        from: u32,
        /// Revision after.
        to: u32,
    },
    /// A field cannot be carried over.
    #[error("{} {field}: {why}", if *key { "the key's field" } else { "field" })]
    Field {
        /// It belongs to the key.
        key: bool,
        /// Its name afterwards, or before if it is gone.
        field: String,
        /// Why not.
        why: Why,
    },
}

/// Why a field cannot be carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// What does not fit would be lost.
    Narrowed {
        /// Bytes before.
        from: u32,
        /// Bytes after.
        to: u32,
    },
    /// It is of another kind.
    Incompatible,
    /// A key without it is the key of several entries.
    Merged,
    /// A plain word became fields, or fields a plain word.
    Word,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Narrowed { from, to } => write!(f, "narrowed from {from} to {to} bytes"),
            Self::Incompatible => f.write_str("another kind of field"),
            Self::Merged => f.write_str("gone, so several entries would become one"),
            Self::Word => f.write_str("a plain word on one side, fields on the other"),
        }
    }
}

impl Declared {
    /// Whether both names are those of one field.
    pub fn are_one(&self, a: &str, b: &str) -> bool {
        let renamed = |(one, other): &(String, String)| (one == a && other == b) || (one == b && other == a);
        a == b || self.renamed.iter().any(renamed)
    }
}

impl Translation {
    /// From one layout to another: fields are copied to where they stand now, numbers get more room, new fields are zero.
    pub fn between(
        from: &Description,
        to: &Description,
        declared: &Declared,
    ) -> Result<Self, Untranslatable> {
        let difference = Difference::between(from, to, declared);
        for change in &difference.map {
            match *change {
                MapChange::Kind { from, to } if is_indexed(from) != is_indexed(to) => {
                    return Err(Untranslatable::Kind { from, to });
                }
                MapChange::Meaning { from, to } => return Err(Untranslatable::Meaning { from, to }),
                _ => {}
            }
        }
        Ok(Self {
            key: Copies::of(
                &from.key,
                &to.key,
                &difference.key,
                &Side { key: true, lossy: &[], merged: declared.merged },
            )?,
            value: Copies::of(
                &from.value,
                &to.value,
                &difference.value,
                &Side { key: false, lossy: &declared.lossy, merged: true },
            )?,
        })
    }

    /// The same, and fields of the value may get less room: [`Copies::cuts`] says of each whether it loses something by that.
    pub fn narrowing(
        from: &Description,
        to: &Description,
        declared: &Declared,
    ) -> Result<Self, Untranslatable> {
        let lossy = to.value.fields.iter().map(|field| field.name.clone()).collect();
        Self::between(from, to, &Declared { lossy, ..declared.clone() })
    }

    /// Whether every entry stays as it is.
    pub fn is_identity(&self) -> bool {
        self.key.is_identity() && self.value.is_identity()
    }
}

/// Of which part the fields are, and which of them may be narrowed.
struct Side<'a> {
    key: bool,
    lossy: &'a [String],
    merged: bool,
}

impl Copies {
    fn of(
        from: &Record,
        to: &Record,
        fields: &[FieldDifference],
        side: &Side<'_>,
    ) -> Result<Self, Untranslatable> {
        let (mut copies, mut cut) = (Vec::new(), Vec::new());
        for field in fields {
            if let Some(why) = refusal(field, side) {
                let name = field.after.as_ref().or(field.before.as_ref()).map(|it| it.name.clone());
                return Err(Untranslatable::Field { key: side.key, field: name.unwrap_or_default(), why });
            }
            if let (Some(before), Some(after)) = (&field.before, &field.after) {
                let first = copies.len();
                copy(before, after, &mut copies);
                cut.extend(left_out(before, &copies[first..]));
            }
        }
        copies.sort_by_key(|copy| copy.from);
        let joined = copies.into_iter().fold(Vec::new(), join);
        Ok(Self { from: from.size as usize, to: to.size as usize, copies: joined, cut, identity: from == to })
    }

    /// Fills `to`, of the size after, from `from`, of the size before. `false`: one has another size, and nothing is written.
    pub fn apply(&self, from: &[u8], to: &mut [u8]) -> bool {
        if (from.len(), to.len()) != (self.from, self.to) {
            return false;
        }
        to.fill(0);
        for copy in &self.copies {
            to[copy.to..copy.to + copy.len].copy_from_slice(&from[copy.from..copy.from + copy.len]);
        }
        true
    }

    /// A record after, of one before.
    pub fn record(&self, from: &[u8]) -> io::Result<Vec<u8>> {
        let mut to = vec![0; self.to];
        self.apply(from, &mut to).then_some(to).ok_or_else(other_size)
    }

    /// The same, of a type of that size.
    pub fn read<T: Plain>(&self, from: &[u8]) -> io::Result<T> {
        let mut to = sys::zeroed::<T>();
        self.apply(from, sys::bytes_mut(&mut to)).then_some(to).ok_or_else(other_size)
    }

    /// Whether a record before has something in a field that has no room for it after.
    pub fn cuts(&self, from: &[u8]) -> bool {
        self.cut.iter().any(|at| from.get(*at).is_some_and(|byte| *byte != 0))
    }

    /// Where `len` bytes at `offset` before stand after; none: they are not carried over in one piece.
    pub fn place(&self, offset: usize, len: usize) -> Option<usize> {
        let holds = |copy: &&Copy| copy.from <= offset && offset + len <= copy.from + copy.len;
        self.copies.iter().find(holds).map(|copy| copy.to + offset - copy.from)
    }

    /// Whether both records are the same.
    pub fn is_identity(&self) -> bool {
        self.identity
    }

    /// Bytes of a record before and after.
    pub fn sizes(&self) -> (usize, usize) {
        (self.from, self.to)
    }
}

fn other_size() -> io::Error {
    io::Error::other("elements of another size than the translation's")
}

fn is_indexed(kind: MapKind) -> bool {
    matches!(kind, MapKind::Array | MapKind::PerCpuArray)
}

fn refusal(field: &FieldDifference, side: &Side<'_>) -> Option<Why> {
    let plain = |field: &Option<Field>| field.as_ref().is_some_and(|it| it.name.is_empty());
    let has = |change| field.changes.contains(&change);
    let lossy = field.after.as_ref().is_some_and(|it| side.lossy.contains(&it.name));
    let size = |field: &Option<Field>| field.as_ref().map_or(0, |it| it.size);
    if has(Change::Incompatible) {
        Some(Why::Incompatible)
    } else if plain(&field.before) != plain(&field.after) && (plain(&field.before) || plain(&field.after)) {
        Some(Why::Word)
    } else if has(Change::Narrowed) && !lossy {
        Some(Why::Narrowed { from: size(&field.before), to: size(&field.after) })
    } else if has(Change::Removed) && !side.merged {
        Some(Why::Merged)
    } else {
        None
    }
}

/// The low bytes of a number come first, so that it gets more room behind them.
fn copy(before: &Field, after: &Field, into: &mut Vec<Copy>) {
    let (from, to) = (before.offset as usize, after.offset as usize);
    let mut push = |from, to, len: u32| into.push(Copy { from, to, len: len as usize });
    match (before.kind, after.kind) {
        (FieldKind::Numbers(small), FieldKind::Numbers(large)) if small != large => {
            let count = (before.size / small.max(1)).min(after.size / large.max(1));
            for number in 0..count as usize {
                push(from + number * small as usize, to + number * large as usize, small.min(large));
            }
        }
        _ => push(from, to, before.size.min(after.size)),
    }
}

/// The bytes of a field that nothing takes over.
fn left_out(field: &Field, copies: &[Copy]) -> impl Iterator<Item = usize> {
    let taken = |at: &usize| copies.iter().any(|copy| (copy.from..copy.from + copy.len).contains(at));
    (field.offset as usize..field.end() as usize).filter(move |at| !taken(at))
}

fn join(mut joined: Vec<Copy>, next: Copy) -> Vec<Copy> {
    match joined.last_mut() {
        Some(last) if last.from + last.len == next.from && last.to + last.len == next.to => {
            last.len += next.len;
        }
        _ => joined.push(next),
    }
    joined
}

#[cfg(test)]
mod tests;
