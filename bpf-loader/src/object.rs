use std::{collections::BTreeMap, fmt, fs, io, path::Path, sync::Arc};

use evermesh_pins::{
    Table,
    layout::{self, Description, ObjectError},
};
use sha2::{Digest, Sha256};

/// The eBPF object, embedded at build time.
static EMBEDDED: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/evermesh.bpf.o"));

/// Kernel programs and the layouts of their maps: an eBPF object.
#[derive(Clone)]
pub struct Object {
    bytes: Bytes,
    digest: [u8; 32],
}

#[derive(Clone)]
enum Bytes {
    Embedded,
    Read(Arc<[u8]>),
}

impl Object {
    /// The object in a file, instead of the one that is built in.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        Ok(Self { digest: Sha256::digest(&bytes).into(), bytes: Bytes::Read(bytes.into()) })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Embedded => EMBEDDED,
            Bytes::Read(bytes) => bytes,
        }
    }

    /// Every map that it makes, field by field.
    pub fn layouts(&self) -> Result<BTreeMap<Table, Description>, ObjectError> {
        layout::of_object(self.bytes())
    }

    /// Whether its maps are those that this release reads and writes. Those of the one that is built in are.
    pub fn fits(&self) -> Result<(), Misfit> {
        let Bytes::Read(_) = self.bytes else { return Ok(()) };
        let layouts = self.layouts()?;
        match layouts.iter().find(|(table, found)| !found.is_like(&table.description())) {
            Some((&table, _)) => Err(Misfit::Other(table)),
            None => Ok(()),
        }
    }

    /// SHA-256 of it: which programs these are.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// Why an eBPF object is not one of this release.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// It does not say its layouts.
    #[error(transparent)]
    Unknown(#[from] ObjectError),
    /// A map has other fields.
    #[error("its map {0} has other fields than this release reads and writes")]
    Other(Table),
}

impl Default for Object {
    /// The one that is built in.
    fn default() -> Self {
        Self { bytes: Bytes::Embedded, digest: Sha256::digest(EMBEDDED).into() }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:02x?}..)", &self.digest[..4])
    }
}
