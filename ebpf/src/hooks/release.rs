use aya_ebpf::programs::SockContext;

use crate::{origin, storage, udp_origin, verdict::Verdict};

/// A socket is closed, also when its process was killed: what is remembered of it goes.
#[inline(always)]
pub fn sock_release(ctx: &SockContext) -> Verdict {
    let socket = origin::cookie(ctx);
    storage::release(socket, |taken| udp_origin::forget_all(socket, taken));
    Verdict::Proceed
}
