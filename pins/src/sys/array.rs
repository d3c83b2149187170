use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use aya_obj::generated::bpf_cmd;

use super::{RawMap, attributes, bpf, map_create, map_lookup, map_update, possible_cpus, raw};
use crate::{Layout, MapKind};

/// An array map of 64-bit words, read and written word by word through system calls: no mapping.
#[derive(Debug)]
pub struct WordArray(OwnedFd);

impl WordArray {
    /// The caller has checked that it is an array of u64.
    pub fn new(map: OwnedFd) -> Self {
        Self(map)
    }

    /// The map.
    pub fn map(&self) -> &OwnedFd {
        &self.0
    }

    /// The word at `index`; words beyond the end read as zero.
    pub fn get(&self, index: u32) -> io::Result<u64> {
        Ok(map_lookup::<u32, u64>(self.0.as_fd(), &index)?.unwrap_or(0))
    }

    /// All words in their order, by as many system calls as [`RawMap::for_each`] makes.
    pub fn all(&self) -> io::Result<Vec<u64>> {
        let mut words = Vec::new();
        RawMap::new(self.0.as_fd())?.for_each(|_, word| {
            words.push(u64::from_ne_bytes(word.try_into().map_err(io::Error::other)?));
            Ok(())
        })?;
        Ok(words)
    }

    /// Sets the word at `index`.
    pub fn set(&self, index: u32, word: u64) -> io::Result<()> {
        map_update(self.0.as_fd(), &index, &word)
    }

    /// The sum over all CPUs of the word at `index` of a per-CPU array.
    pub fn sum_per_cpu(&self, index: u32) -> io::Result<u64> {
        let mut values = vec![0u64; possible_cpus()?];
        let mut attr = attributes();
        attr.__bindgen_anon_2.map_fd = raw(self.0.as_fd());
        attr.__bindgen_anon_2.key = &raw const index as u64;
        attr.__bindgen_anon_2.__bindgen_anon_1.value = values.as_mut_ptr() as u64;
        // SAFETY: the kernel writes one u64 for each possible CPU.
        unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr)? };
        Ok(values.iter().sum())
    }
}

/// Makes an array of `words` u64; `name` has at most 15 bytes.
pub fn array_create(name: &str, words: u32) -> io::Result<WordArray> {
    let layout = Layout { kind: MapKind::Array, key_size: 4, value_size: 8, flags: 0, revision: 0 };
    map_create(name, &layout, words).map(WordArray)
}
