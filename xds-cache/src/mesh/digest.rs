use sha2::{Digest as _, Sha256};

use super::Name;

/// A sum over resources that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    pub fn add(&mut self, name: &Name, hash: u128) {
        self.each(name, hash, u64::wrapping_add);
    }

    pub fn remove(&mut self, name: &Name, hash: u128) {
        self.each(name, hash, u64::wrapping_sub);
    }

    pub fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (part, lane) in bytes.chunks_exact_mut(8).zip(self.0) {
            part.copy_from_slice(&lane.to_be_bytes());
        }
        bytes
    }

    fn each(&mut self, name: &Name, hash: u128, change: impl Fn(u64, u64) -> u64) {
        let mut digest = Sha256::new();
        digest.update(name.kind.type_url());
        digest.update([0]);
        digest.update(name.name.as_bytes());
        digest.update(hash.to_be_bytes());
        let digest = digest.finalize();
        for (lane, part) in self.0.iter_mut().zip(digest.chunks_exact(8)) {
            let part = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            *lane = change(*lane, part);
        }
    }
}
