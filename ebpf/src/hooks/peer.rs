use aya_ebpf::programs::SockAddrContext;

use crate::{destination::Family, origin, verdict::Verdict};

/// The application is told the address it asked for.
#[inline(always)]
pub fn getpeername<F: Family>(ctx: &SockAddrContext) -> Verdict {
    let peer = F::read(ctx);
    if let Some(frontend) =
        origin::of(origin::cookie(ctx)).and_then(|origin| origin::frontend_of(&origin, &peer))
    {
        F::write(ctx, &frontend);
    }
    Verdict::Proceed
}
