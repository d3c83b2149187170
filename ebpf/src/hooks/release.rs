use core::ptr::null_mut;

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_socket_cookie, bpf_sk_storage_get},
    programs::SockContext,
};
use evermesh_abi::{Origin, PROTOCOL_UDP};

use crate::{maps::ORIGINS, udp_origin, verdict::Verdict};

/// A socket is closed, also when its process was killed: what `udp_origins` holds for it goes. Its own
/// storage goes with it.
#[inline(always)]
pub fn sock_release(ctx: &SockContext) -> Verdict {
    // SAFETY: the context of this program run.
    let is_udp = unsafe { (*ctx.sock).protocol } == u32::from(PROTOCOL_UDP);
    if is_udp && let Some(origin) = origin(ctx) {
        // SAFETY: as above.
        udp_origin::forget_all(unsafe { bpf_get_socket_cookie(ctx.as_ptr()) }, origin.udp_origins);
    }
    Verdict::Proceed
}

#[inline(always)]
fn origin(ctx: &SockContext) -> Option<&'static Origin> {
    let map = (&raw const ORIGINS).cast_mut();
    // SAFETY: without the flag to create, and without a value, the helper only looks up.
    unsafe { bpf_sk_storage_get(map.cast(), ctx.as_ptr(), null_mut(), 0).cast::<Origin>().as_ref() }
}
