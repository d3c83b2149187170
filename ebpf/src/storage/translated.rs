//! A primary whose layouts may be others: what is read is a copy, translated; what is written is translated back, and
//! mirrored if this is a bridge.

use core::{
    intrinsics::{AtomicOrdering, atomic_xadd},
    mem::offset_of,
    ops::Deref,
};

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use evermesh_abi::{Origin, UdpOrigin, UdpOriginKey};

use super::layouts::primary::{self, ORIGINS, UDP_ORIGINS};
#[cfg(any(feature = "up", feature = "down", feature = "level"))]
use super::mirror;

/// Nothing stands beside the primary.
#[cfg(feature = "before")]
mod mirror {
    use evermesh_abi::{UdpOrigin, UdpOriginKey};

    #[inline(always)]
    pub fn origin(_: u64) {}

    #[inline(always)]
    pub fn store(_: &UdpOriginKey, _: &UdpOrigin) {}

    #[inline(always)]
    pub fn store_again(_: &UdpOriginKey, _: *const super::primary::UdpOrigin) {}

    #[inline(always)]
    pub fn remove(_: &UdpOriginKey) {}

    #[inline(always)]
    pub fn places_taken(_: u64) -> Option<u64> {
        None
    }

    #[inline(always)]
    pub fn placed(_: &UdpOriginKey) -> Option<UdpOrigin> {
        None
    }
}

/// A socket's origin as it was when it was looked up, and where it stands.
pub struct Entry {
    socket: u64,
    stored: *mut primary::Origin,
    origin: Origin,
}

/// A pair of an unconnected UDP socket as it was when it was looked up, and where it stands.
pub struct Pair {
    stored: *const primary::UdpOrigin,
    pair: UdpOrigin,
}

impl Deref for Pair {
    type Target = UdpOrigin;

    #[inline(always)]
    fn deref(&self) -> &UdpOrigin {
        &self.pair
    }
}

/// A pair that is to be forgotten.
pub struct Placed(UdpOrigin);

impl Deref for Placed {
    type Target = UdpOrigin;

    #[inline(always)]
    fn deref(&self) -> &UdpOrigin {
        &self.0
    }
}

/// The origin of a socket that has one.
#[inline(always)]
pub fn entry(socket: u64) -> Option<Entry> {
    let stored = ORIGINS.get_ptr_mut(socket)?;
    // SAFETY: only the socket's own hooks write its entry. It goes when the socket is released, which cannot be
    // while another hook runs for it, or after a look-up that made it the newest of all.
    Some(Entry { socket, stored, origin: unsafe { *stored }.into() })
}

impl Deref for Entry {
    type Target = Origin;

    #[inline(always)]
    fn deref(&self) -> &Origin {
        &self.origin
    }
}

impl Entry {
    /// Changes all but the counter.
    #[inline(always)]
    pub fn change(self, change: impl FnOnce(&mut Origin)) {
        change_stored(self.stored, change);
        mirror::origin(self.socket);
    }

    /// Several threads may send on one socket at once, so the place in the ring is taken atomically.
    #[inline(always)]
    pub fn take_place(self) -> u64 {
        // SAFETY: a u64 in a map value, aligned.
        let taken = unsafe {
            atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(&raw mut (*self.stored).udp_origins, 1)
        };
        mirror::origin(self.socket);
        taken
    }
}

/// Makes the origin of a socket that has none.
#[inline(always)]
pub fn insert(socket: u64, origin: &Origin) -> Result<(), i32> {
    done(insert_origin(socket, origin))?;
    mirror::origin(socket);
    Ok(())
}

/// How many places in the ring a socket has taken, if it has an origin. Where the primary was full, the secondary knows more.
#[inline(always)]
pub fn places_taken(socket: u64) -> Option<u64> {
    entry(socket).map(|entry| entry.udp_origins).max(mirror::places_taken(socket))
}

/// The origin of a socket that is being released goes.
#[inline(always)]
pub fn remove(socket: u64) {
    let _ = ORIGINS.remove(socket);
    mirror::origin(socket);
}

/// The pair under this key.
#[inline(always)]
pub fn pair(key: &UdpOriginKey) -> Option<Pair> {
    let stored = UDP_ORIGINS.get_ptr(primary::key(key))?;
    // SAFETY: only the socket's own hooks write and delete its entries; a value that another thread of the
    // application replaces meanwhile is another pair of the same socket.
    Some(Pair { stored, pair: unsafe { *stored }.into() })
}

/// The pair at a place in the ring, to be forgotten. Where the primary was full, the secondary knows more.
#[inline(always)]
pub fn placed(key: &UdpOriginKey) -> Option<Placed> {
    pair(key).map(|pair| pair.pair).or_else(|| mirror::placed(key)).map(Placed)
}

/// Sets the pair under this key.
#[inline(always)]
pub fn insert_pair(key: UdpOriginKey, pair: &UdpOrigin) -> Result<(), i32> {
    done(store_pair(&key, pair))?;
    mirror::store(&key, pair);
    Ok(())
}

/// Sets a pair that stands under another key already.
#[inline(always)]
pub fn insert_again(key: UdpOriginKey, pair: &Pair) {
    store_again(&key, pair.stored);
    mirror::store_again(&key, pair.stored);
}

/// Nothing stands under this key any more.
#[inline(always)]
pub fn remove_pair(key: UdpOriginKey) {
    let _ = UDP_ORIGINS.remove(primary::key(&key));
    mirror::remove(&key);
}

// Functions of their own: what they translate is gone from the stack, which is short, when the mirror runs.

#[inline(never)]
fn insert_origin(socket: u64, origin: &Origin) -> i32 {
    code(ORIGINS.insert(socket, primary::origin(origin), BPF_NOEXIST.into()))
}

/// Word by word: another thread of the application may take a place meanwhile, and its count must stay.
#[inline(never)]
fn change_stored<F: FnOnce(&mut Origin)>(stored: *mut primary::Origin, change: F) {
    const WORD: usize = size_of::<u64>();
    const { assert!(align_of::<primary::Origin>() == WORD && size_of::<primary::Origin>() % WORD == 0) }
    let counter = offset_of!(primary::Origin, udp_origins) / WORD;
    // SAFETY: the pointer comes from a look-up that succeeded.
    let mut origin = unsafe { *stored }.into();
    change(&mut origin);
    let changed: primary::Origin = origin.into();
    let (to, from) = (stored.cast::<u64>(), (&raw const changed).cast::<u64>());
    for word in (0..size_of::<primary::Origin>() / WORD).filter(|&word| word != counter) {
        // SAFETY: both are structures of that many aligned words.
        unsafe { to.add(word).write_volatile(*from.add(word)) }
    }
}

#[inline(never)]
fn store_pair(key: &UdpOriginKey, pair: &UdpOrigin) -> i32 {
    code(UDP_ORIGINS.insert(primary::key(key), primary::pair(pair), BPF_ANY.into()))
}

#[inline(never)]
fn store_again(key: &UdpOriginKey, pair: *const primary::UdpOrigin) -> i32 {
    // SAFETY: the pointer comes from a look-up that succeeded.
    code(UDP_ORIGINS.insert(primary::key(key), unsafe { &*pair }, BPF_ANY.into()))
}

#[inline(always)]
fn code(result: Result<(), i32>) -> i32 {
    result.err().unwrap_or(0)
}

#[inline(always)]
fn done(code: i32) -> Result<(), i32> {
    if code == 0 { Ok(()) } else { Err(code) }
}
