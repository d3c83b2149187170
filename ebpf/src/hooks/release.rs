use aya_ebpf::programs::SockContext;

use crate::{maps::ORIGINS, origin, udp_origin, verdict::Verdict};

/// A socket is closed, also when its process was killed: what is remembered of it goes.
#[inline(always)]
pub fn sock_release(ctx: &SockContext) -> Verdict {
    let socket = origin::cookie(ctx);
    if let Some(origin) = origin::of(socket) {
        if origin.udp_origins > 0 {
            udp_origin::forget_all(socket, origin.udp_origins);
        }
        let _ = ORIGINS.remove(socket);
    }
    Verdict::Proceed
}
