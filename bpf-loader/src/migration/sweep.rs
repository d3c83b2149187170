use std::{io, os::fd::BorrowedFd};

use evermesh_pins::sys::RawMap;

use super::{Settling, Turn};

/// How entries of the primary are written in the layout of the secondary. The buffers have the maps' sizes and are zero.
pub trait Translate {
    /// The key in the secondary.
    fn key(&self, primary: &[u8], secondary: &mut [u8]);
    /// The key in the primary whose [`Self::key`] this is.
    fn key_back(&self, secondary: &[u8], primary: &mut [u8]);
    /// The value in the secondary.
    fn value(&self, primary: &[u8], secondary: &mut [u8]);
}

/// What a sweep has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Entries of the primary that it met.
    pub carried: u64,
    /// Entries of the secondary that the primary did not have.
    pub removed: u64,
}

/// Leads every entry of the secondary to what the primary says. From before its beginning all programs are bridges, and
/// none runs that began as another one. It can be repeated. `E2BIG`: the secondary is full.
pub fn sweep(
    primary: BorrowedFd<'_>,
    secondary: BorrowedFd<'_>,
    translate: &impl Translate,
) -> io::Result<Swept> {
    let (primary, secondary) = (RawMap::new(primary)?, RawMap::new(secondary)?);
    let mut entry = Entry {
        primary,
        secondary,
        translate,
        key: vec![0; secondary.key_size()],
        value: vec![0; secondary.value_size()],
    };
    let mut swept = Swept::default();
    primary.for_each(|key, _| {
        swept.carried += 1;
        entry.settle(key)
    })?;
    let (mut key, mut value) = (vec![0; primary.key_size()], vec![0; primary.value_size()]);
    secondary.for_each(|there, _| {
        key.fill(0);
        translate.key_back(there, &mut key);
        if primary.lookup(&key, &mut value)? {
            return Ok(());
        }
        swept.removed += 1;
        entry.settle(&key)
    })?;
    Ok(swept)
}

/// One entry after the other; the buffers are of the secondary's layout.
struct Entry<'a, T> {
    primary: RawMap<'a>,
    secondary: RawMap<'a>,
    translate: &'a T,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl<T: Translate> Entry<'_, T> {
    fn settle(&mut self, key: &[u8]) -> io::Result<()> {
        self.key.fill(0);
        self.translate.key(key, &mut self.key);
        let mut settling = Settling::default();
        loop {
            let mut now = vec![0; self.primary.value_size()];
            let now = self.primary.lookup(key, &mut now)?.then_some(now);
            match settling.look(now) {
                Turn::Agreed => return Ok(()),
                Turn::Lead(None) => drop(self.secondary.delete(&self.key)?),
                Turn::Lead(Some(value)) => {
                    self.value.fill(0);
                    self.translate.value(value, &mut self.value);
                    self.secondary.update(&self.key, &self.value)?;
                }
            }
        }
    }
}
