use std::fmt;

use btfparse::{Error, Offset, Readable, Result as Read, TypeInformation, TypeVariant};

use super::{Field, FieldKind, Record};

/// Types of maps, as the kernel or an object file keeps them (BTF).
pub struct Types(TypeInformation);

impl fmt::Debug for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Types({})", self.0.get().len())
    }
}

/// Why a type was not understood.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The bytes are no types.
    #[error("the types (BTF) cannot be read: {0}")]
    Unreadable(String),
    /// One that is referred to is missing, has no size, or contains itself.
    #[error("type {0} (BTF) cannot be understood")]
    Type(u32),
}

/// Types refer to types; what is deeper than this refers to itself.
const DEEPEST: usize = 32;

impl Types {
    /// Those in a BTF section.
    pub fn read(bytes: &[u8]) -> Result<Self, BtfError> {
        let types = TypeInformation::new(&Section(bytes));
        types.map(Self).map_err(|error| BtfError::Unreadable(error.message().to_owned()))
    }

    /// The fields of a type.
    pub fn record(&self, id: u32) -> Result<Record, BtfError> {
        let mut fields = Vec::new();
        let size = self.fields("", 0, id, DEEPEST, &mut fields)?;
        fields.sort_by_key(|field| (field.offset, field.size));
        Ok(Record { size, fields })
    }

    /// Appends what `id` consists of and says its size.
    fn fields(
        &self,
        name: &str,
        offset: u32,
        id: u32,
        depth: usize,
        into: &mut Vec<Field>,
    ) -> Result<u32, BtfError> {
        let unknown = || BtfError::Type(id);
        let deeper = depth.checked_sub(1).ok_or_else(unknown)?;
        let bytes = |size: usize| u32::try_from(size).map_err(|_| unknown());
        let mut one = |size: u32, kind| {
            into.push(Field { name: name.to_owned(), offset, size, kind });
            Ok(size)
        };
        match self.0.get().get(&id).ok_or_else(unknown)? {
            TypeVariant::Int(it) if *it.signed() => one(bytes(*it.size())?, FieldKind::Signed),
            TypeVariant::Int(it) => one(bytes(*it.size())?, FieldKind::Unsigned),
            TypeVariant::Enum(it) => one(bytes(*it.size())?, FieldKind::Unsigned),
            TypeVariant::Enum64(it) => one(bytes(*it.size())?, FieldKind::Unsigned),
            TypeVariant::Float(it) => one(bytes(*it.size())?, FieldKind::Opaque),
            TypeVariant::Union(it) => one(bytes(*it.size())?, FieldKind::Opaque),
            TypeVariant::Array(it) => {
                let mut element = Vec::new();
                let size = self.fields("", 0, *it.element_tid(), deeper, &mut element)?;
                let kind = match element.as_slice() {
                    [field] if field.kind == FieldKind::Unsigned => FieldKind::Numbers(size),
                    _ => FieldKind::Opaque,
                };
                one(size.checked_mul(*it.element_count()).ok_or_else(unknown)?, kind)
            }
            TypeVariant::Struct(it) => {
                let members = it.member_list();
                for member in members {
                    let Offset::ByteOffset(at) = member.offset() else { return Err(unknown()) };
                    let own = member.name().unwrap_or_default();
                    // A structure around one thing is that thing.
                    let transparent = members.len() == 1 && own == "__0";
                    let full = match (name, transparent) {
                        (_, true) => name.to_owned(),
                        ("", false) => own,
                        (outer, false) => format!("{outer}.{own}"),
                    };
                    let at = offset.checked_add(at).ok_or_else(unknown)?;
                    self.fields(&full, at, member.tid(), deeper, into)?;
                }
                bytes(*it.size())
            }
            TypeVariant::Typedef(it) => self.fields(name, offset, *it.tid(), deeper, into),
            TypeVariant::Const(it) => self.fields(name, offset, *it.tid(), deeper, into),
            TypeVariant::Volatile(it) => self.fields(name, offset, *it.tid(), deeper, into),
            TypeVariant::TypeTag(it) => self.fields(name, offset, *it.tid(), deeper, into),
            _ => Err(unknown()),
        }
    }
}

struct Section<'a>(&'a [u8]);

impl Readable for Section<'_> {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Read<()> {
        let from = usize::try_from(offset).ok();
        let bytes = from.and_then(|from| self.0.get(from..from.checked_add(buffer.len())?));
        let end = || Error::new(btfparse::ErrorKind::EOF, "it ends too early");
        buffer.copy_from_slice(bytes.ok_or_else(end)?);
        Ok(())
    }
}
