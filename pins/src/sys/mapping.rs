use std::{
    io,
    marker::PhantomData,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::Plain;

/// An element of a memory-mapped array: loaded and stored by 64-bit words, each atomic.
pub trait Element: Plain {}
impl Element for u64 {}
impl Element for evermesh_abi::ServiceMeta {}
impl Element for evermesh_abi::Endpoint {}

/// A read-only mapping of a `BPF_F_MMAPABLE` array.
#[derive(Debug)]
pub struct ReadMapping<T: Element>(Mapping<T>);

/// A writable mapping of a `BPF_F_MMAPABLE` array.
#[derive(Debug)]
pub struct WriteMapping<T: Element>(Mapping<T>);

impl<T: Element> ReadMapping<T> {
    /// Maps `len` elements; the caller has checked type, flags and size of the map.
    pub fn new(map: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        Mapping::new(map, len, libc::PROT_READ).map(Self)
    }

    /// How many elements there are.
    pub fn len(&self) -> u32 {
        self.0.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    /// The element at `index`; `None` beyond the end. Each word is loaded whole; an element of several words
    /// may be seen between two stores.
    pub fn get(&self, index: u32) -> Option<T> {
        (index < self.0.len).then(|| {
            let mut value = super::zeroed::<T>();
            for word in 0..Mapping::<T>::WORDS {
                let loaded = self.0.word(index, word).load(Ordering::Acquire);
                // SAFETY: inside `value`, whose size is a multiple of eight and its alignment eight.
                unsafe { (&raw mut value).cast::<u64>().add(word).write(loaded) };
            }
            value
        })
    }
}

impl<T: Element> WriteMapping<T> {
    /// As [`ReadMapping::new`].
    pub fn new(map: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        Mapping::new(map, len, libc::PROT_READ | libc::PROT_WRITE).map(Self)
    }

    /// Stores an element, its last word last; `false` beyond the end.
    pub fn set(&self, index: u32, value: T) -> bool {
        if index >= self.0.len {
            return false;
        }
        for word in 0..Mapping::<T>::WORDS {
            // SAFETY: inside `value`, whose size is a multiple of eight and its alignment eight.
            let stored = unsafe { (&raw const value).cast::<u64>().add(word).read() };
            self.0.word(index, word).store(stored, Ordering::Release);
        }
        true
    }

    /// Stores one 32-bit field at `offset` bytes into the element, atomically; `false` beyond the end.
    pub fn set_u32(&self, index: u32, offset: usize, value: u32) -> bool {
        if index >= self.0.len || !offset.is_multiple_of(4) || offset + 4 > size_of::<T>() {
            return false;
        }
        // SAFETY: inside the element, aligned, mapped for the life of `self`.
        let field = unsafe {
            AtomicU32::from_ptr(self.0.start.as_ptr().add(index as usize).cast::<u8>().add(offset).cast())
        };
        field.store(value, Ordering::Release);
        true
    }
}

#[derive(Debug)]
struct Mapping<T> {
    start: NonNull<T>,
    len: u32,
    bytes: usize,
    elements: PhantomData<T>,
}

// SAFETY: plain shared memory that is only touched by atomic operations.
unsafe impl<T> Send for Mapping<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Mapping<T> {}

impl<T: Element> Mapping<T> {
    const WORDS: usize = {
        assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8);
        size_of::<T>() / 8
    };

    fn new(map: BorrowedFd<'_>, len: u32, protection: i32) -> io::Result<Self> {
        let bytes = (len as usize * size_of::<T>()).next_multiple_of(4096);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, map.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { start, len, bytes, elements: PhantomData })
    }

    fn word(&self, index: u32, word: usize) -> &AtomicU64 {
        debug_assert!(index < self.len && word < Self::WORDS);
        // SAFETY: inside the mapping, aligned to eight bytes, mapped for the life of `self`.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(index as usize).cast::<u64>().add(word)) }
    }
}

impl<T> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped; no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
