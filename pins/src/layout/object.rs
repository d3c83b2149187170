use std::collections::BTreeMap;

use aya_obj::ParseError;

use super::{BtfError, Description, Types};
use crate::{MapKind, Table};

/// Why an eBPF object does not say its layouts.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is no eBPF object.
    #[error("not an eBPF object: {0}")]
    Unreadable(#[from] ParseError),
    /// It has no types.
    #[error("the eBPF object carries no types (BTF)")]
    Typeless,
    /// A map is missing or has no types.
    #[error("the eBPF object has no map `{0}` with types (BTF)")]
    Missing(&'static str),
    /// A type is not understood.
    #[error("{table} in the eBPF object: {source}")]
    Type {
        /// Whose.
        table: Table,
        /// Why.
        source: BtfError,
    },
}

/// Every map that an eBPF object makes under these names. Of frozen ones the types say the revision; those of a generation are this
/// release's, and go into its manifest.
pub fn of_object(
    bytes: &[u8],
    name: impl Fn(Table) -> &'static str,
) -> Result<BTreeMap<Table, Description>, ObjectError> {
    let object = aya_obj::Object::parse(bytes)?;
    let section = object.btf.as_ref().ok_or(ObjectError::Typeless)?.to_bytes();
    let every = Table::ALL;
    let types = Types::read(&section).map_err(|source| ObjectError::Type { table: every[0], source })?;
    let describe = |table: Table| {
        let missing = ObjectError::Missing(name(table));
        let Some(aya_obj::Map::Btf(map)) = object.maps.get(name(table)) else { return Err(missing) };
        let record = |id| types.record(id).map_err(|source| ObjectError::Type { table, source });
        let map_of = aya_obj::Map::Btf(map.clone());
        let description = Description {
            kind: MapKind::from_number(map_of.map_type()),
            flags: map_of.map_flags(),
            max_entries: table.fixed_entries().map(|_| map_of.max_entries()),
            revision: table.layout().revision,
            key: record(map.def.btf_key_type_id)?,
            value: record(map.def.btf_value_type_id)?,
        };
        let is_frozen = Table::FROZEN.contains(&table);
        Ok((table, if is_frozen { description.with_own_revision() } else { description }))
    };
    every.into_iter().map(describe).collect()
}
