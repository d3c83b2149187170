use std::{
    collections::{BTreeMap, btree_map::Entry},
    io,
};

use super::{BtfError, Description, Types};
use crate::{
    GenerationPins, MapPin, Table,
    sys::{self, MapInfo},
};

/// Reads what the kernel knows of the layouts of pinned maps. Maps that were made together share their types, which are
/// read once.
#[derive(Debug, Default)]
pub struct Kernel(BTreeMap<u32, Types>);

/// Why the kernel does not tell the fields of a map.
#[derive(Debug, thiserror::Error)]
pub enum UnknownFields {
    /// It was made without.
    #[error("it was made without types (BTF)")]
    Typeless,
    /// The types could not be read.
    #[error("its types (BTF id {id}) cannot be read: {source}")]
    Read {
        /// Which.
        id: u32,
        /// Why.
        source: io::Error,
    },
    /// They were not understood.
    #[error(transparent)]
    Type(#[from] BtfError),
}

impl Kernel {
    /// The layout of a pinned map, of that revision.
    fn describe(&mut self, info: &MapInfo, revision: u32) -> Result<Description, UnknownFields> {
        let found = info.types.ok_or(UnknownFields::Typeless)?;
        let types = match self.0.entry(found.btf) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let bytes = sys::btf_by_id(found.btf)
                    .map_err(|source| UnknownFields::Read { id: found.btf, source })?;
                unknown.insert(Types::read(&bytes)?)
            }
        };
        let layout = info.layout;
        Ok(Description {
            kind: layout.kind,
            flags: layout.flags,
            max_entries: Some(info.max_entries),
            revision,
            key: types.record(found.key)?,
            value: types.record(found.value)?,
        })
    }

    /// The layout of a generation's table, whose revision its manifest tells.
    pub fn describe_table(
        &mut self,
        generation: &GenerationPins,
        table: Table,
        pin: &MapPin,
    ) -> Result<Description, UnknownFields> {
        let entry = generation.manifest.as_ref().and_then(|manifest| manifest.tables.get(&table));
        self.describe(&pin.info, entry.and_then(|entry| entry.revision(&pin.info.layout)).unwrap_or(0))
    }

    /// The layout of a frozen map, whose types say the revision.
    pub fn describe_frozen(&mut self, info: &MapInfo) -> Result<Description, UnknownFields> {
        Ok(self.describe(info, 0)?.with_own_revision())
    }
}
