use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Layout, MapKind};

/// What a map holds, field by field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Map type.
    pub kind: MapKind,
    /// `BPF_F_*` flags the map is made with.
    pub flags: u32,
    /// Its size; none: who makes it chooses.
    pub max_entries: Option<u32>,
    /// Raised by hand when the meaning changes but the fields do not; 0: not known.
    pub revision: u32,
    /// A key.
    pub key: Record,
    /// A value; of a per-CPU map, that of one CPU.
    pub value: Record,
}

/// Bytes with named fields. A plain word is one field without a name: its table says what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// How many bytes.
    pub size: u32,
    /// By offset. Structures in structures are taken apart: their fields have names with dots.
    pub fields: Vec<Field>,
}

/// One field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Field {
    /// Empty for a plain word.
    pub name: String,
    /// In bytes.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// What the bytes are.
    pub kind: FieldKind,
}

/// What the bytes of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// One number without a sign.
    Unsigned,
    /// One number with a sign.
    Signed,
    /// Numbers without a sign, each of so many bytes, one after the other.
    Numbers(u32),
    /// Bytes of which nothing is known.
    Opaque,
}

/// With a number: a field without bytes that says the revision in the types of a frozen map. Those of the first revision have none.
const REVISION: &str = "revision_";
/// What a frozen map is of whose types say nothing.
const FIRST_REVISION: u32 = 1;

impl Description {
    /// The same, with the revision that its own types say, in the value or in the key.
    #[must_use]
    pub(super) fn with_own_revision(mut self) -> Self {
        let said = [self.value.take_revision(), self.key.take_revision()];
        self.revision = said.into_iter().flatten().next().unwrap_or(FIRST_REVISION);
        self
    }

    /// Whether maps of both can take each other's place: all is equal but the size.
    pub fn is_like(&self, other: &Self) -> bool {
        let revision = self.revision == other.revision || self.revision == 0 || other.revision == 0;
        revision && self.looks_like(other)
    }

    /// As [`Self::is_like`], whatever both mean by it.
    pub fn looks_like(&self, other: &Self) -> bool {
        let sizeless = |it: &Self| (it.kind, it.flags);
        sizeless(self) == sizeless(other) && self.key == other.key && self.value == other.value
    }

    /// The same without its fields.
    pub fn layout(&self) -> Layout {
        Layout {
            kind: self.kind,
            key_size: self.key.size,
            value_size: self.value.size,
            flags: self.flags,
            revision: self.revision,
        }
    }

    /// A short identity: of the fields, their places and the revision; the size of the map does not matter.
    pub fn hash(&self) -> u64 {
        let mut bytes = Vec::new();
        let word = |bytes: &mut Vec<u8>, word: u32| bytes.extend_from_slice(&word.to_le_bytes());
        for number in [self.kind.number(), self.flags, self.revision] {
            word(&mut bytes, number);
        }
        for record in [&self.key, &self.value] {
            word(&mut bytes, record.size);
            for field in &record.fields {
                bytes.extend_from_slice(field.name.as_bytes());
                bytes.push(0);
                let (kind, element) = match field.kind {
                    FieldKind::Unsigned => (0, field.size),
                    FieldKind::Signed => (1, field.size),
                    FieldKind::Numbers(element) => (2, element),
                    FieldKind::Opaque => (3, 1),
                };
                for number in [field.offset, field.size, kind, element] {
                    word(&mut bytes, number);
                }
            }
            bytes.push(0xff);
        }
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}

impl Record {
    /// One plain number.
    pub fn word(size: u32) -> Self {
        let field = Field { name: String::new(), offset: 0, size, kind: FieldKind::Unsigned };
        Self { size, fields: vec![field] }
    }

    /// Takes out what holds no bytes and names a revision (`revision_2`), since types have no other place for it.
    pub(super) fn take_revision(&mut self) -> Option<u32> {
        let named = |field: &Field| field.name.strip_prefix(REVISION)?.parse().ok();
        let at = self.fields.iter().position(|field| field.size == 0 && named(field).is_some())?;
        named(&self.fields.remove(at))
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// Behind its last byte.
    pub fn end(&self) -> u32 {
        self.offset.saturating_add(self.size)
    }

    /// Whether it holds nothing: bytes that are zero, and of which later releases may make fields.
    pub fn is_filler(&self) -> bool {
        let name = self.name.rsplit('.').next().unwrap_or_default();
        ["pad", "reserve"].contains(&name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FieldKind::Unsigned => write!(f, "u{}", self.size * 8),
            FieldKind::Signed => write!(f, "i{}", self.size * 8),
            FieldKind::Numbers(element) => write!(f, "u{}[{}]", element * 8, self.size / element.max(1)),
            FieldKind::Opaque => write!(f, "{} bytes", self.size),
        }
    }
}
