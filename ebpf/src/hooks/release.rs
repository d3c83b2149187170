use aya_ebpf::programs::SockContext;
use evermesh_abi::{PROTOCOL_UDP, UDP_ORIGINS_PER_SOCKET};

use crate::{origin, storage, udp_origin, verdict::Verdict};

/// A socket is closed, also when its process was killed: what is remembered of it goes. Its pairs may still be there though its origin
/// had to make room for others.
#[inline(always)]
pub fn sock_release(ctx: &SockContext) -> Verdict {
    let socket = origin::cookie(ctx);
    let taken = storage::places_taken(socket);
    let pairs = match taken {
        None if is_udp(ctx) && udp_origin::has_pairs(socket) => UDP_ORIGINS_PER_SOCKET,
        taken => taken.unwrap_or(0),
    };
    if pairs > 0 {
        udp_origin::forget_all(socket, pairs);
    }
    if taken.is_some() {
        storage::remove(socket);
    }
    Verdict::Proceed
}

#[inline(always)]
fn is_udp(ctx: &SockContext) -> bool {
    // SAFETY: the context of this program run.
    unsafe { (*ctx.sock).protocol == u32::from(PROTOCOL_UDP) }
}
