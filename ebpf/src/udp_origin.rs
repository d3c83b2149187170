//! What an application asked for on an unconnected UDP socket, which may talk to many services.
//!
//! Each (service, backend) pair of a socket has three entries: by its virtual IP, so that datagrams keep
//! going to one backend; by its backend, so that replies seem to come from the virtual IP; and by its place in
//! a ring, so that all can be found when the socket is released or the ring comes round.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use evermesh_abi::{
    Address, ORIGIN_REVISION, UDP_ORIGINS_PER_SOCKET, UdpOrigin, UdpOriginKey, UdpOriginKind,
};

use crate::{
    destination::Destination,
    pick::Picked,
    storage::{self, Entry, Pair},
};

/// The pair that the socket uses for this virtual IP and port.
#[inline(always)]
pub fn by_frontend(socket: u64, frontend: &Destination) -> Option<Pair> {
    storage::pair(&key(socket, UdpOriginKind::Frontend, frontend))
}

/// The pair whose backend this is; of two with one backend, the one that was used last.
#[inline(always)]
pub fn by_backend(socket: u64, backend: &Destination) -> Option<Pair> {
    storage::pair(&key(socket, UdpOriginKind::Backend, backend))
}

/// Remembers a pair; the oldest of the socket makes room. Fails when the map is full or memory is short.
#[inline(always)]
pub fn remember(
    socket: u64,
    entry: Entry,
    service: u32,
    frontend: &Destination,
    picked: &Picked,
) -> Result<(), i32> {
    let index = entry.take_place() % UDP_ORIGINS_PER_SOCKET;
    forget(socket, index);
    let pair = &UdpOrigin {
        revision: ORIGIN_REVISION,
        flags: 0,
        frontend_port: frontend.port,
        backend_port: picked.backend.port,
        frontend: frontend.address,
        backend: picked.backend.address,
        service,
        endpoint: picked.id,
        reserve: [0; 6],
    };
    storage::insert_pair(index_key(socket, index), pair)?;
    let done = insert(socket, frontend, &picked.backend, pair);
    if done.is_err() {
        withdraw(socket, index, pair);
    }
    done
}

#[inline(always)]
fn insert(socket: u64, frontend: &Destination, backend: &Destination, pair: &UdpOrigin) -> Result<(), i32> {
    storage::insert_pair(key(socket, UdpOriginKind::Frontend, frontend), pair)?;
    storage::insert_pair(key(socket, UdpOriginKind::Backend, backend), pair)
}

/// Takes back what stands of a pair for which there was no room. Else whoever tries again would fill with parts of pairs what becomes free.
///
/// A function of its own, as the next one: on Linux 6.1 the deepest calls of a bridge take all of the stack.
#[inline(never)]
fn withdraw(socket: u64, index: u64, pair: &UdpOrigin) {
    storage::remove_pair(key(socket, UdpOriginKind::Frontend, &frontend(pair)));
    storage::remove_pair(index_key(socket, index));
}

/// Whether the socket has pairs, though its origin may be gone, which says how many. The first place is the first to be taken.
#[inline(never)]
pub fn has_pairs(socket: u64) -> bool {
    storage::pair(&index_key(socket, 0)).is_some()
}

/// Replies from the pair's backend seem to come from its virtual IP again, if another pair's came from there meanwhile.
#[inline(always)]
pub fn use_again(socket: u64, pair: &Pair) {
    let (key, frontend) = (key(socket, UdpOriginKind::Backend, &backend(pair)), frontend(pair));
    if !storage::pair(&key).is_some_and(|used| frontend.is(&used.frontend, used.frontend_port)) {
        storage::insert_again(key, pair);
    }
}

/// Replies from there seem to come from there: the socket asked it by its own address.
#[inline(always)]
pub fn asked_itself(socket: u64, backend: &Destination) {
    storage::remove_pair(key(socket, UdpOriginKind::Backend, backend));
}

/// Forgets all pairs of a socket that is being released.
#[inline(always)]
pub fn forget_all(socket: u64, taken: u64) {
    let count = if taken < UDP_ORIGINS_PER_SOCKET { taken } else { UDP_ORIGINS_PER_SOCKET };
    let mut socket = socket;
    // SAFETY: the callback has the signature that bpf_loop (kernel 5.17) calls, the context is a live u64.
    unsafe {
        bpf_loop(count as u32, forget_one as *mut c_void, (&raw mut socket).cast(), 0);
    }
}

extern "C" fn forget_one(index: u32, socket: *mut c_void) -> i64 {
    // SAFETY: bpf_loop hands back the pointer that `forget_all` gave it.
    forget(unsafe { *socket.cast::<u64>() }, index.into());
    0
}

#[inline(always)]
fn forget(socket: u64, index: u64) {
    let index = index_key(socket, index);
    let Some(pair) = storage::placed(&index) else { return };
    storage::remove_pair(key(socket, UdpOriginKind::Frontend, &frontend(&pair)));
    storage::remove_pair(key(socket, UdpOriginKind::Backend, &backend(&pair)));
    storage::remove_pair(index);
}

/// Where the application sends.
#[inline(always)]
pub fn frontend(pair: &UdpOrigin) -> Destination {
    Destination { address: pair.frontend, port: pair.frontend_port }
}

/// Where its datagrams go.
#[inline(always)]
pub fn backend(pair: &UdpOrigin) -> Destination {
    Destination { address: pair.backend, port: pair.backend_port }
}

#[inline(always)]
fn key(socket: u64, kind: UdpOriginKind, at: &Destination) -> UdpOriginKey {
    UdpOriginKey { socket, address: at.address, port: at.port, kind: kind as u8, pad: [0; 5] }
}

#[inline(always)]
fn index_key(socket: u64, index: u64) -> UdpOriginKey {
    let at = Destination { address: Address([index as u32, 0, 0, 0]), port: 0 };
    key(socket, UdpOriginKind::Index, &at)
}
