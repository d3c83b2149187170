use sha2::{Digest, Sha256};

/// The eBPF object, embedded at build time.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/evermesh.bpf.o"));

/// The bytes of the object.
pub fn bytes() -> &'static [u8] {
    OBJECT
}

/// SHA-256 of the object: which programs these are.
pub fn digest() -> [u8; 32] {
    Sha256::digest(OBJECT).into()
}
