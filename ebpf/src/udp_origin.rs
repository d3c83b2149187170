//! What an application asked for on an unconnected UDP socket, which may talk to many services.
//!
//! Each (service, backend) pair of a socket has three entries: by its virtual IP, so that datagrams keep
//! going to one backend; by its backend, so that replies seem to come from the virtual IP; and by its place in
//! a ring, so that all can be found when the socket is released or the ring comes round.

use core::{
    ffi::c_void,
    intrinsics::{AtomicOrdering, atomic_xadd},
};

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_loop};
use evermesh_abi::{
    Address, ORIGIN_REVISION, Origin, UDP_ORIGINS_PER_SOCKET, UdpOrigin, UdpOriginKey, UdpOriginKind,
};

use crate::{destination::Destination, maps::UDP_ORIGINS, pick::Picked};

/// The pair that the socket uses for this virtual IP and port.
#[inline(always)]
pub fn by_frontend(socket: u64, frontend: &Destination) -> Option<&'static UdpOrigin> {
    lookup(&key(socket, UdpOriginKind::Frontend, frontend))
}

/// The pair whose backend this is; of two with one backend, the one that was used last.
#[inline(always)]
pub fn by_backend(socket: u64, backend: &Destination) -> Option<&'static UdpOrigin> {
    lookup(&key(socket, UdpOriginKind::Backend, backend))
}

/// Remembers a pair; the oldest of the socket makes room. Fails when the map is full or memory is short.
#[inline(always)]
pub fn remember(
    socket: u64,
    origin: &mut Origin,
    service: u32,
    frontend: &Destination,
    picked: &Picked,
) -> Result<(), i32> {
    let index = next_index(origin);
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
    UDP_ORIGINS.insert(index_key(socket, index), pair, BPF_ANY.into())?;
    UDP_ORIGINS.insert(key(socket, UdpOriginKind::Backend, &picked.backend), pair, BPF_ANY.into())?;
    UDP_ORIGINS.insert(key(socket, UdpOriginKind::Frontend, frontend), pair, BPF_ANY.into())
}

/// Replies from the pair's backend seem to come from its virtual IP again, if another pair's came from there meanwhile.
#[inline(always)]
pub fn use_again(socket: u64, pair: &UdpOrigin) {
    let (key, frontend) = (key(socket, UdpOriginKind::Backend, &backend(pair)), frontend(pair));
    if !lookup(&key).is_some_and(|used| frontend.is(&used.frontend, used.frontend_port)) {
        let _ = UDP_ORIGINS.insert(key, pair, BPF_ANY.into());
    }
}

/// Replies from there seem to come from there: the socket asked it by its own address.
#[inline(always)]
pub fn asked_itself(socket: u64, backend: &Destination) {
    let _ = UDP_ORIGINS.remove(key(socket, UdpOriginKind::Backend, backend));
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

/// Several threads may send on one socket at once, so the place in the ring is taken atomically.
#[inline(always)]
fn next_index(origin: &mut Origin) -> u64 {
    // SAFETY: a u64 in a map value, aligned.
    let taken =
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::SeqCst }>(&raw mut origin.udp_origins, 1) };
    taken % UDP_ORIGINS_PER_SOCKET
}

#[inline(always)]
fn forget(socket: u64, index: u64) {
    let index = index_key(socket, index);
    let Some(pair) = lookup(&index) else { return };
    let _ = UDP_ORIGINS.remove(key(socket, UdpOriginKind::Frontend, &frontend(pair)));
    let _ = UDP_ORIGINS.remove(key(socket, UdpOriginKind::Backend, &backend(pair)));
    let _ = UDP_ORIGINS.remove(index);
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
fn lookup(key: &UdpOriginKey) -> Option<&'static UdpOrigin> {
    // SAFETY: only the socket's own hooks write and delete its entries; a value that another thread of the
    // application replaces meanwhile is another pair of the same socket.
    UDP_ORIGINS.get_ptr(key).map(|pair| unsafe { &*pair })
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
