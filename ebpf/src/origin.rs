//! What the application asked for, kept with its socket.

use aya_ebpf::programs::SockAddrContext;
use evermesh_abi::{ORIGIN_CONNECTED, ORIGIN_REVISION, Origin};

use crate::{destination::Destination, maps::ORIGINS};

/// The socket's origin, if it has one.
#[inline(always)]
pub fn of(ctx: &SockAddrContext) -> Option<&'static mut Origin> {
    // SAFETY: the context's own socket; the storage lives as long as the socket, which the hook holds.
    unsafe { ORIGINS.get_ptr_mut(ctx).as_mut() }
}

/// The socket's origin, made if need be, zero but for its revision; `None` when memory is short.
#[inline(always)]
pub fn of_or_new(ctx: &SockAddrContext) -> Option<&'static mut Origin> {
    // SAFETY: as in `of`.
    let origin = unsafe { ORIGINS.get_or_insert_ptr_mut(ctx, None).as_mut() }?;
    origin.revision = ORIGIN_REVISION;
    Some(origin)
}

/// Remembers that the socket is connected to `frontend` by way of `backend`.
#[inline(always)]
pub fn remember(origin: &mut Origin, service: u32, frontend: &Destination, backend: &Destination) {
    origin.frontend = frontend.address;
    origin.frontend_port = frontend.port;
    origin.backend = backend.address;
    origin.backend_port = backend.port;
    origin.service = service;
    origin.flags = ORIGIN_CONNECTED;
}

/// The socket goes somewhere else now.
#[inline(always)]
pub fn forget(ctx: &SockAddrContext) {
    if let Some(origin) = of(ctx) {
        origin.flags = 0;
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
