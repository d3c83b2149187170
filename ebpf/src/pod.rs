use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_netns_cookie, programs::SockAddrContext};

use crate::maps::{ENROLLED, Enrolled};

/// The pod that the socket's network namespace is, if it is one of the mesh.
#[inline(always)]
pub fn of(ctx: &SockAddrContext) -> Option<&'static Enrolled> {
    // SAFETY: the context of this program run.
    let cookie: u64 = unsafe { bpf_get_netns_cookie(ctx.as_ptr()) };
    // SAFETY: the pointer comes from a look-up that succeeded. An entry that is replaced meanwhile hands out another
    // pod's addresses, which decides nothing but the endpoint of one flow.
    ENROLLED.get_ptr(cookie).map(|pod| unsafe { &*pod })
}

/// The same for every flow of a client, on every node.
#[inline(always)]
pub fn client_hash(pod: &Enrolled) -> u64 {
    let ipv4 = pod.ipv4.0[3] != 0;
    if ipv4 { pod.ipv4.client_hash() } else { pod.ipv6.client_hash() }
}
