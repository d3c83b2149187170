//! What a bridge does after each change of the primary.
//!
//! An origin, which is changed where it stands and by several threads at once, is copied until the primary was seen to be the
//! same before and after: whoever writes the secondary last has found in the primary what it wrote. The sweep of
//! `bpf-loader` follows the same rule for every entry. A pair is only ever set whole, so it is set in both; of two threads
//! that set one at once either may win, and both are right.
//!
//! Nobody changes an entry of the secondary where it stands, so one may be replaced or deleted at any time.
//!
//! What needs room for a translated value is a function of its own: the programs' stacks are short.

use aya_ebpf::bindings::BPF_ANY;
use evermesh_abi::{Counter, UdpOrigin, UdpOriginKey};

use super::layouts::{primary, secondary};
use crate::count::count;

/// Who loses this often against other threads of the same application leaves it to them: each of them does the same.
const ATTEMPTS: u32 = 8;

/// The socket's origin.
#[inline(always)]
pub fn origin(socket: u64) {
    for _ in 0..ATTEMPTS {
        if copy_origin(socket) == origin_now(socket) {
            return;
        }
    }
}

#[inline(never)]
fn copy_origin(socket: u64) -> u64 {
    let Some(stored) = primary::ORIGINS.get_ptr(socket) else {
        let _ = secondary::ORIGINS.remove(socket);
        return NONE;
    };
    // SAFETY: the pointer comes from a look-up that succeeded; a copy that is torn differs from what stands there next.
    let copy: secondary::Origin = unsafe { *stored }.into();
    let copied = fingerprint_of(&copy);
    if secondary::ORIGINS.insert(socket, &copy, BPF_ANY.into()).is_err() {
        count(Counter::NotMirrored);
    }
    copied
}

/// What it needs to compute is not added to what a translated origin needs: on Linux 6.1 the deepest calls of a bridge take
/// all of the stack.
#[inline(never)]
fn fingerprint_of(copy: &secondary::Origin) -> u64 {
    fingerprint(copy)
}

#[inline(never)]
fn origin_now(socket: u64) -> u64 {
    // SAFETY: as above.
    primary::ORIGINS
        .get_ptr(socket)
        .map_or(NONE, |now| fingerprint::<secondary::Origin>(&unsafe { *now }.into()))
}

/// A pair was set in the primary.
#[inline(always)]
pub fn store(key: &UdpOriginKey, pair: &UdpOrigin) {
    count_unless_done(store_pair(key, pair));
}

/// A pair that the primary has was set under another key too.
#[inline(always)]
pub fn store_again(key: &UdpOriginKey, stored: *const primary::UdpOrigin) {
    count_unless_done(store_stored(key, stored));
}

/// A pair was deleted from the primary.
#[inline(never)]
pub fn remove(key: &UdpOriginKey) {
    let _ = secondary::UDP_ORIGINS.remove(secondary::key(key));
}

#[inline(never)]
fn store_pair(key: &UdpOriginKey, pair: &UdpOrigin) -> i32 {
    let stored = secondary::UDP_ORIGINS.insert(secondary::key(key), secondary::pair(pair), BPF_ANY.into());
    stored.err().unwrap_or(0)
}

#[inline(never)]
fn store_stored(key: &UdpOriginKey, stored: *const primary::UdpOrigin) -> i32 {
    // SAFETY: the pointer comes from a look-up that succeeded.
    let pair = secondary::UdpOrigin::from(unsafe { *stored });
    let stored = secondary::UDP_ORIGINS.insert(secondary::key(key), pair, BPF_ANY.into());
    stored.err().unwrap_or(0)
}

#[inline(always)]
fn count_unless_done(code: i32) {
    if code != 0 {
        count(Counter::NotMirrored);
    }
}

/// How many places in the ring the socket has taken, as the secondary has it.
#[inline(always)]
pub fn places_taken(socket: u64) -> Option<u64> {
    // SAFETY: the pointer comes from a look-up that succeeded.
    secondary::ORIGINS.get_ptr(socket).map(|origin| unsafe { (*origin).udp_origins })
}

/// The pair at a place in the ring, as the secondary has it.
#[inline(always)]
pub fn placed(key: &UdpOriginKey) -> Option<UdpOrigin> {
    let stored = secondary::UDP_ORIGINS.get_ptr(secondary::key(key))?;
    // SAFETY: the pointer comes from a look-up that succeeded.
    Some(unsafe { *stored }.into())
}

/// The fingerprint of nothing.
const NONE: u64 = 0;

/// Of the bytes: each word through multiplication and shift. Never [`NONE`].
#[inline(always)]
fn fingerprint<T>(value: &T) -> u64 {
    const WORD: usize = size_of::<u64>();
    const { assert!(align_of::<T>() == WORD && size_of::<T>() % WORD == 0) }
    let words = (&raw const *value).cast::<u64>();
    let mix = |hash: u64, word| {
        // SAFETY: a structure of that many aligned words, without padding.
        let hash = (hash ^ unsafe { *words.add(word) }).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ hash >> 32
    };
    (0..size_of::<T>() / WORD).fold(1, mix) | 1
}
