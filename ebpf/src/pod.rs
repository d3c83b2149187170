use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_netns_cookie, programs::SockAddrContext};

use crate::maps::ENROLLED;

/// Whether the socket's network namespace is a pod of the mesh.
#[inline(always)]
pub fn is_enrolled(ctx: &SockAddrContext) -> bool {
    // SAFETY: the context of this program run.
    let cookie: u64 = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    ENROLLED.get_ptr(cookie).is_some()
}
