use std::{io, os::fd::BorrowedFd};

use aya_obj::generated::{bpf_attr, bpf_cmd};

use super::{attributes, bpf, found, map_info, raw};

/// A hash map, or an array, whose keys and values are bytes, of sizes that only the kernel knows.
#[derive(Clone, Copy, Debug)]
pub struct RawMap<'a> {
    map: BorrowedFd<'a>,
    key_size: usize,
    value_size: usize,
}

impl<'a> RawMap<'a> {
    /// Pairs asked for at once. A bucket that holds more makes the kernel answer ENOSPC; then twice as many are asked for.
    const BATCH: usize = 4096;

    /// Asks for the sizes.
    pub fn new(map: BorrowedFd<'a>) -> io::Result<Self> {
        let layout = map_info(map)?.layout;
        let size = |bytes: u32| usize::try_from(bytes).map_err(io::Error::other);
        Ok(Self { map, key_size: size(layout.key_size)?, value_size: size(layout.value_size)? })
    }

    /// Bytes of a key.
    pub fn key_size(&self) -> usize {
        self.key_size
    }

    /// Bytes of a value.
    pub fn value_size(&self) -> usize {
        self.value_size
    }

    /// Whether there is such a key; then `value` becomes its value.
    pub fn lookup(&self, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
        let mut attr = self.element(key, value.len())?;
        attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_mut_ptr() as u64;
        // SAFETY: both slices have the map's sizes.
        found(unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr) })
    }

    /// Sets the value of a key. `E2BIG`: the map is full.
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let mut attr = self.element(key, value.len())?;
        attr.__bindgen_anon_2.__bindgen_anon_1.value = value.as_ptr() as u64;
        // SAFETY: both slices have the map's sizes.
        unsafe { bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr) }.map(drop)
    }

    /// Deletes a key; `false` if it was not there.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        let mut attr = self.element(key, self.value_size)?;
        // SAFETY: the key has the map's size.
        found(unsafe { bpf(bpf_cmd::BPF_MAP_DELETE_ELEM, &mut attr) })
    }

    /// How many pairs there are; exact while nobody writes.
    pub fn count(&self) -> io::Result<u64> {
        let mut pairs = 0;
        self.for_each(|_, _| {
            pairs += 1;
            Ok(())
        })?;
        Ok(pairs)
    }

    /// All pairs, by `BPF_MAP_LOOKUP_BATCH` (kernel 5.6), some thousands in memory at once. A pair that is written meanwhile may
    /// be missing or come in either state; all others come once.
    pub fn for_each(&self, mut see: impl FnMut(&[u8], &[u8]) -> io::Result<()>) -> io::Result<()> {
        let (mut batch, mut token) = (Self::BATCH, None);
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        loop {
            keys.resize(batch * self.key_size, 0);
            values.resize(batch * self.value_size, 0);
            match self.page(token, batch, &mut keys, &mut values) {
                Ok((count, next)) => {
                    let pairs = keys.chunks_exact(self.key_size).zip(values.chunks_exact(self.value_size));
                    pairs.take(count).try_for_each(|(key, value)| see(key, value))?;
                    if next.is_none() {
                        return Ok(());
                    }
                    token = next;
                }
                Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => batch *= 2,
                Err(e) => return Err(e),
            }
        }
    }

    /// How many pairs there were, and where the next page begins.
    fn page(
        &self,
        after: Option<u64>,
        batch: usize,
        keys: &mut [u8],
        values: &mut [u8],
    ) -> io::Result<(usize, Option<u64>)> {
        let mut token = 0u64;
        let mut attr = attributes();
        attr.batch.map_fd = raw(self.map);
        attr.batch.in_batch = after.as_ref().map_or(0, |t| std::ptr::from_ref(t) as u64);
        attr.batch.out_batch = &raw mut token as u64;
        attr.batch.keys = keys.as_mut_ptr() as u64;
        attr.batch.values = values.as_mut_ptr() as u64;
        attr.batch.count = u32::try_from(batch).map_err(io::Error::other)?;
        // SAFETY: both slices hold `batch` elements of the map's sizes; a hash map's token is a u32.
        let more = found(unsafe { bpf(bpf_cmd::BPF_MAP_LOOKUP_BATCH, &mut attr) })?;
        // SAFETY: the kernel has written how many pairs it delivered.
        let count = unsafe { attr.batch.count } as usize;
        Ok((count, more.then_some(token)))
    }

    fn element(&self, key: &[u8], value_size: usize) -> io::Result<bpf_attr> {
        if (key.len(), value_size) != (self.key_size, self.value_size) {
            let (k, v) = (self.key_size, self.value_size);
            let found = format!("{} and {value_size}", key.len());
            return Err(io::Error::other(format!("a map of {k} and {v} bytes was asked for one of {found}")));
        }
        let mut attr = attributes();
        attr.__bindgen_anon_2.map_fd = raw(self.map);
        attr.__bindgen_anon_2.key = key.as_ptr() as u64;
        Ok(attr)
    }
}
