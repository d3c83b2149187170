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

    /// SHA-256 of it: which programs these are.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
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
