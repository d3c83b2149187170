//! What the application asked for, kept by the socket's cookie until the socket is released.

use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_socket_cookie};
use evermesh_abi::{Address, Counter, ORIGIN_CONNECTED, ORIGIN_REVISION, Origin, UDP_ORIGINS_PER_SOCKET};

use crate::{
    count::count,
    destination::Destination,
    pick::Picked,
    storage::{self, Entry},
    udp_origin,
};

/// The socket's cookie: no other socket has it until reboot.
#[inline(always)]
pub fn cookie(ctx: &impl EbpfContext) -> u64 {
    // SAFETY: the context of this program run.
    unsafe { bpf_get_socket_cookie(ctx.as_ptr()) }
}

/// The socket's origin, if it has one.
#[inline(always)]
pub fn of(socket: u64) -> Option<Entry> {
    storage::entry(socket)
}

/// The socket's origin, made if need be; `None` when there is no room. Where it had to make room for others, and the socket's pairs
/// are still there, nobody knows any more how many places in the ring it has taken: all, then.
#[inline(always)]
pub fn of_or_new(socket: u64) -> Option<Entry> {
    of(socket).or_else(|| {
        let mut new = empty();
        if udp_origin::has_pairs(socket) {
            new.udp_origins = UDP_ORIGINS_PER_SOCKET;
        }
        let _ = storage::insert(socket, &new);
        of(socket)
    })
}

/// Remembers that the socket is connected to `frontend` by way of the endpoint picked. Where there is no room the
/// connection goes on, and the application is shown the backend's address.
///
/// Most sockets connect once, so the entry is made without looking first.
#[inline(always)]
pub fn remember(socket: u64, service: u32, frontend: &Destination, picked: &Picked) {
    let mut new = empty();
    connect(&mut new, service, frontend, picked);
    if storage::insert(socket, &new).is_ok() {
        return;
    }
    match of(socket) {
        Some(entry) => entry.change(|origin| connect(origin, service, frontend, picked)),
        None => count(Counter::OriginsFull),
    }
}

/// The socket goes somewhere else now.
#[inline(always)]
pub fn forget(socket: u64) {
    if let Some(entry) = of(socket) {
        entry.change(|origin| origin.flags = 0);
    }
}

/// The backend of a socket that is connected to `frontend`.
#[inline(always)]
pub fn backend_of(origin: &Origin, frontend: &Destination) -> Option<Destination> {
    (origin.flags == ORIGIN_CONNECTED && frontend.is(&origin.frontend, origin.frontend_port))
        .then_some(Destination { address: origin.backend, port: origin.backend_port })
}

/// The frontend of a socket that is connected by way of `backend`.
#[inline(always)]
pub fn frontend_of(origin: &Origin, backend: &Destination) -> Option<Destination> {
    (origin.flags == ORIGIN_CONNECTED && backend.is(&origin.backend, origin.backend_port))
        .then_some(Destination { address: origin.frontend, port: origin.frontend_port })
}

#[inline(always)]
fn connect(origin: &mut Origin, service: u32, frontend: &Destination, picked: &Picked) {
    origin.frontend = frontend.address;
    origin.frontend_port = frontend.port;
    origin.backend = picked.backend.address;
    origin.backend_port = picked.backend.port;
    origin.service = service;
    origin.endpoint = picked.id;
    origin.flags = ORIGIN_CONNECTED;
}

/// Built in place: a constant would land in `.rodata`, which is one more map.
#[inline(always)]
fn empty() -> Origin {
    Origin {
        revision: ORIGIN_REVISION,
        flags: 0,
        frontend_port: 0,
        backend_port: 0,
        frontend: Address([0; 4]),
        backend: Address([0; 4]),
        service: 0,
        endpoint: 0,
        udp_origins: 0,
        reserve: [0; 5],
    }
}
