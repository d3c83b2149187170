use std::{
    io,
    marker::PhantomData,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use super::Plain;
use crate::layout::Copies;

/// An element of a memory-mapped array: loaded and stored by 64-bit words, each atomic.
pub trait Element: Plain {}
impl Element for u64 {}
impl Element for evermesh_abi::ServiceMeta {}
impl Element for evermesh_abi::Endpoint {}

/// A read-only mapping of a `BPF_F_MMAPABLE` array.
#[derive(Debug)]
pub struct ReadMapping<T: Element> {
    mapping: Mapping,
    /// From the elements that are mapped.
    copies: Option<Copies>,
    elements: PhantomData<T>,
}

/// A writable mapping of a `BPF_F_MMAPABLE` array.
#[derive(Debug)]
pub struct WriteMapping<T: Element> {
    mapping: Mapping,
    /// To the elements that are mapped.
    copies: Option<Copies>,
    elements: PhantomData<T>,
}

impl<T: Element> ReadMapping<T> {
    /// Maps `len` elements; the caller has checked type, flags and size of the map.
    pub fn new(map: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        let mapping = Mapping::new(map, len, size_of::<T>(), libc::PROT_READ)?;
        Ok(Self { mapping, copies: None, elements: PhantomData })
    }

    /// Maps `len` elements of another layout, from which `copies` leads to this one; the caller has checked the map likewise.
    pub fn translated(map: BorrowedFd<'_>, len: u32, copies: Copies) -> io::Result<Self> {
        check::<T>(copies.sizes().1)?;
        let mapping = Mapping::new(map, len, copies.sizes().0, libc::PROT_READ)?;
        Ok(Self { mapping, copies: Some(copies), elements: PhantomData })
    }

    /// How many elements there are.
    pub fn len(&self) -> u32 {
        self.mapping.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.mapping.len == 0
    }

    /// The element at `index`; `None` beyond the end. Each word is loaded whole; an element of several words
    /// may be seen between two stores.
    pub fn get(&self, index: u32) -> Option<T> {
        (index < self.mapping.len).then(|| match &self.copies {
            None => self.mapping.load(index),
            Some(copies) => {
                let mut element = Largest::default();
                let (bytes, mut value) = (element.of(copies.sizes().0), super::zeroed::<T>());
                self.mapping.load_words(index, bytes);
                copies.apply(&bytes[..copies.sizes().0], super::bytes_mut(&mut value));
                value
            }
        })
    }
}

impl<T: Element> WriteMapping<T> {
    /// As [`ReadMapping::new`].
    pub fn new(map: BorrowedFd<'_>, len: u32) -> io::Result<Self> {
        let mapping = Mapping::new(map, len, size_of::<T>(), libc::PROT_READ | libc::PROT_WRITE)?;
        Ok(Self { mapping, copies: None, elements: PhantomData })
    }

    /// As [`ReadMapping::translated`], but `copies` leads from this layout to the other one.
    pub fn translated(map: BorrowedFd<'_>, len: u32, copies: Copies) -> io::Result<Self> {
        check::<T>(copies.sizes().0)?;
        let mapping = Mapping::new(map, len, copies.sizes().1, libc::PROT_READ | libc::PROT_WRITE)?;
        Ok(Self { mapping, copies: Some(copies), elements: PhantomData })
    }

    /// Stores an element, its last word last; `false` beyond the end.
    pub fn set(&self, index: u32, value: T) -> bool {
        if index >= self.mapping.len {
            return false;
        }
        match &self.copies {
            None => self.mapping.store_words(index, super::bytes(&value)),
            Some(copies) => {
                let mut element = Largest::default();
                let bytes = element.of(copies.sizes().1);
                copies.apply(super::bytes(&value), &mut bytes[..copies.sizes().1]);
                self.mapping.store_words(index, bytes);
            }
        }
        true
    }

    /// Stores one 32-bit field at `offset` bytes into the element, atomically; `false` beyond the end, or where it has no
    /// place of its own.
    pub fn set_u32(&self, index: u32, offset: usize, value: u32) -> bool {
        let place = match &self.copies {
            None => Some(offset),
            Some(copies) => copies.place(offset, 4),
        };
        let Some(offset) = place.filter(|it| it.is_multiple_of(4) && it + 4 <= self.mapping.words * 8) else {
            return false;
        };
        if index >= self.mapping.len {
            return false;
        }
        // SAFETY: inside the element, aligned, mapped for the life of `self`.
        let field =
            unsafe { AtomicU32::from_ptr(self.mapping.element(index).cast::<u8>().add(offset).cast()) };
        field.store(value, Ordering::Release);
        true
    }
}

/// The bytes of one element of another layout.
struct Largest([u64; Self::WORDS]);

impl Default for Largest {
    fn default() -> Self {
        Self([0; Self::WORDS])
    }
}

impl Largest {
    const WORDS: usize = 64;

    /// Whole words for `size` bytes, which [`check`] has found to fit.
    fn of(&mut self, size: usize) -> &mut [u8] {
        let bytes = super::words_as_bytes(&mut self.0);
        let len = size.next_multiple_of(8).min(bytes.len());
        &mut bytes[..len]
    }
}

fn check<T>(own: usize) -> io::Result<()> {
    let fits = own == size_of::<T>();
    fits.then_some(()).ok_or_else(|| io::Error::other("elements of another size than the translation's"))
}

#[derive(Debug)]
struct Mapping {
    start: NonNull<u64>,
    len: u32,
    /// Of an element: the kernel begins each at a multiple of eight bytes.
    words: usize,
    bytes: usize,
}

// SAFETY: plain shared memory that is only touched by atomic operations.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(map: BorrowedFd<'_>, len: u32, size: usize, protection: i32) -> io::Result<Self> {
        let words = size.div_ceil(8);
        if words == 0 || words > Largest::WORDS {
            return Err(io::Error::other(format!("elements of {size} bytes")));
        }
        let bytes = (len as usize * words * 8).next_multiple_of(4096);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, map.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Self { start, len, words, bytes })
    }

    fn element(&self, index: u32) -> *mut u64 {
        debug_assert!(index < self.len);
        // SAFETY: inside the mapping.
        unsafe { self.start.as_ptr().add(index as usize * self.words) }
    }

    fn word(&self, index: u32, word: usize) -> &AtomicU64 {
        debug_assert!(word < self.words);
        // SAFETY: inside the mapping, aligned to eight bytes, mapped for the life of `self`.
        unsafe { AtomicU64::from_ptr(self.element(index).add(word)) }
    }

    fn load<T: Element>(&self, index: u32) -> T {
        const { assert!(size_of::<T>().is_multiple_of(8) && align_of::<T>() == 8) };
        let mut value = super::zeroed::<T>();
        for word in 0..size_of::<T>() / 8 {
            let loaded = self.word(index, word).load(Ordering::Acquire);
            // SAFETY: inside `value`, whose size is a multiple of eight and its alignment eight.
            unsafe { (&raw mut value).cast::<u64>().add(word).write(loaded) };
        }
        value
    }

    /// `bytes` are whole words, no more than an element's.
    fn load_words(&self, index: u32, bytes: &mut [u8]) {
        for (word, bytes) in bytes.chunks_exact_mut(8).enumerate() {
            bytes.copy_from_slice(&self.word(index, word).load(Ordering::Acquire).to_ne_bytes());
        }
    }

    /// Likewise; the last word last.
    fn store_words(&self, index: u32, bytes: &[u8]) {
        for (word, bytes) in bytes.chunks_exact(8).enumerate() {
            let stored = bytes.try_into().map_or(0, u64::from_ne_bytes);
            self.word(index, word).store(stored, Ordering::Release);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped; no reference into it outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
