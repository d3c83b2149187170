//! The maps of this release, used where they stand.

use core::{
    intrinsics::{AtomicOrdering, atomic_xadd},
    ops::Deref,
};

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use evermesh_abi::{Origin, UdpOrigin, UdpOriginKey};

use crate::maps::{ORIGINS, UDP_ORIGINS};

/// A socket's origin, in its map.
pub struct Entry(&'static mut Origin);

/// A pair of an unconnected UDP socket, in its map.
pub type Pair = &'static UdpOrigin;

/// The origin of a socket that has one.
#[inline(always)]
pub fn entry(socket: u64) -> Option<Entry> {
    // SAFETY: only the socket's own hooks write its entry. It goes when the socket is released, which cannot be
    // while another hook runs for it, or after a look-up that made it the newest of all.
    ORIGINS.get_ptr_mut(socket).map(|origin| Entry(unsafe { &mut *origin }))
}

impl Deref for Entry {
    type Target = Origin;

    #[inline(always)]
    fn deref(&self) -> &Origin {
        self.0
    }
}

impl Entry {
    /// Changes all but the counter.
    #[inline(always)]
    pub fn change(self, change: impl FnOnce(&mut Origin)) {
        change(self.0);
    }

    /// Several threads may send on one socket at once, so the place in the ring is taken atomically.
    #[inline(always)]
    pub fn take_place(self) -> u64 {
        // SAFETY: a u64 in a map value, aligned.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(&raw mut self.0.udp_origins, 1) }
    }
}

/// Makes the origin of a socket that has none.
#[inline(always)]
pub fn insert(socket: u64, origin: &Origin) -> Result<(), i32> {
    ORIGINS.insert(socket, origin, BPF_NOEXIST.into())
}

/// How many places in the ring a socket has taken, if it has an origin.
#[inline(always)]
pub fn places_taken(socket: u64) -> Option<u64> {
    entry(socket).map(|entry| entry.udp_origins)
}

/// The origin of a socket that is being released goes.
#[inline(always)]
pub fn remove(socket: u64) {
    let _ = ORIGINS.remove(socket);
}

/// The pair under this key.
#[inline(always)]
pub fn pair(key: &UdpOriginKey) -> Option<Pair> {
    // SAFETY: only the socket's own hooks write and delete its entries; a value that another thread of the
    // application replaces meanwhile is another pair of the same socket.
    UDP_ORIGINS.get_ptr(key).map(|pair| unsafe { &*pair })
}

/// The pair at a place in the ring, to be forgotten.
#[inline(always)]
pub fn placed(key: &UdpOriginKey) -> Option<Pair> {
    pair(key)
}

/// Sets the pair under this key.
#[inline(always)]
pub fn insert_pair(key: UdpOriginKey, pair: &UdpOrigin) -> Result<(), i32> {
    UDP_ORIGINS.insert(key, pair, BPF_ANY.into())
}

/// Sets a pair that stands under another key already.
#[inline(always)]
pub fn insert_again(key: UdpOriginKey, pair: &Pair) {
    let _ = UDP_ORIGINS.insert(key, *pair, BPF_ANY.into());
}

/// Nothing stands under this key any more.
#[inline(always)]
pub fn remove_pair(key: UdpOriginKey) {
    let _ = UDP_ORIGINS.remove(key);
}
