use aya_ebpf::programs::SockAddrContext;
use evermesh_abi::{PROTOCOL_TCP, PROTOCOL_UDP};

use crate::{
    destination::{Destination, Family},
    maps::Enrolled,
    origin,
    pick::{self, Choice},
    pod,
    resolve::{Resolved, resolve},
    verdict::{ECONNREFUSED, Verdict},
};

/// TCP and connected UDP: the destination is translated once, for the life of the connection.
#[inline(always)]
pub fn connect<F: Family>(ctx: &SockAddrContext) -> Verdict {
    let Some(protocol) = balanced_protocol(ctx) else { return Verdict::Proceed };
    let Some(pod) = pod::of(ctx) else { return Verdict::Proceed };
    let asked = F::read(ctx);
    match resolve(&asked.frontend(protocol)) {
        Resolved::Service(service) => translate::<F>(ctx, pod, service, &asked),
        Resolved::UnknownPort => Verdict::Fail(ECONNREFUSED),
        Resolved::Unknown => leave_alone(ctx),
    }
}

#[inline(always)]
fn translate<F: Family>(ctx: &SockAddrContext, pod: &Enrolled, service: u32, asked: &Destination) -> Verdict {
    match pick::pick(service, pod) {
        Choice::Led(picked) => {
            origin::remember(origin::cookie(ctx), service, asked, &picked);
            F::write(ctx, &picked.backend);
            Verdict::Proceed
        }
        Choice::LeftAlone => leave_alone(ctx),
        Choice::Refused => Verdict::Fail(ECONNREFUSED),
    }
}

#[inline(always)]
fn leave_alone(ctx: &SockAddrContext) -> Verdict {
    origin::forget(origin::cookie(ctx));
    Verdict::Proceed
}

/// ICMP and raw sockets have no ports and are left alone. An MPTCP socket comes here as TCP.
#[inline(always)]
fn balanced_protocol(ctx: &SockAddrContext) -> Option<u8> {
    // SAFETY: the context of this program run.
    let protocol = unsafe { (*ctx.sock_addr).protocol } as u8;
    (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP).then_some(protocol)
}
