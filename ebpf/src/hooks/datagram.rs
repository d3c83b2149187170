use aya_ebpf::{EbpfContext, helpers::generated::bpf_get_socket_cookie, programs::SockAddrContext};
use evermesh_abi::{Counter, Origin, PROTOCOL_UDP};

use crate::{
    count::count,
    destination::{Destination, Family},
    origin, pick, pod,
    resolve::{Resolved, resolve},
    udp_origin,
    verdict::{ECONNREFUSED, ENOBUFS, Verdict},
};

/// A datagram with an address of its own. A socket that is connected to the same virtual IP keeps to its
/// backend; any other keeps to one backend per service while that is a member.
#[inline(always)]
pub fn sendmsg<F: Family>(ctx: &SockAddrContext) -> Verdict {
    if !pod::is_enrolled(ctx) {
        return Verdict::Proceed;
    }
    let asked = F::read(ctx);
    if let Some(backend) = origin::of(ctx).and_then(|origin| origin::backend_of(origin, &asked)) {
        F::write(ctx, &backend);
        return Verdict::Proceed;
    }
    match resolve(&asked.frontend(PROTOCOL_UDP)) {
        Resolved::Service(service) => translate::<F>(ctx, service, &asked),
        Resolved::UnknownPort => Verdict::Fail(ECONNREFUSED),
        Resolved::Unknown => Verdict::Proceed,
    }
}

/// A datagram that arrived: the sender's address becomes the virtual IP that this socket asked for, if it did.
#[inline(always)]
pub fn recvmsg<F: Family>(ctx: &SockAddrContext) -> Verdict {
    let Some(origin) = origin::of(ctx) else { return Verdict::Proceed };
    let sender = F::read(ctx);
    if let Some(frontend) = origin::frontend_of(origin, &sender).or_else(|| asked_for(ctx, origin, &sender)) {
        F::write(ctx, &frontend);
    }
    Verdict::Proceed
}

#[inline(always)]
fn translate<F: Family>(ctx: &SockAddrContext, service: u32, asked: &Destination) -> Verdict {
    let socket = cookie(ctx);
    if let Some(backend) = backend_in_use(socket, service, asked) {
        F::write(ctx, &backend);
        return Verdict::Proceed;
    }
    let Some(picked) = pick::pick(service) else { return Verdict::Fail(ECONNREFUSED) };
    let remembered = origin::of_or_new(ctx)
        .is_some_and(|origin| udp_origin::remember(socket, origin, service, asked, &picked).is_ok());
    if !remembered {
        count(Counter::OriginsFull);
        return Verdict::Fail(ENOBUFS);
    }
    F::write(ctx, &picked.backend);
    Verdict::Proceed
}

#[inline(always)]
fn backend_in_use(socket: u64, service: u32, asked: &Destination) -> Option<Destination> {
    let pair = udp_origin::by_frontend(socket, asked)?;
    let backend = Destination { address: pair.backend, port: pair.backend_port };
    (pair.service == service && pick::is_member(pair.endpoint, service, &backend)).then_some(backend)
}

#[inline(always)]
fn asked_for(ctx: &SockAddrContext, origin: &Origin, sender: &Destination) -> Option<Destination> {
    if origin.udp_origins == 0 {
        return None;
    }
    let pair = udp_origin::by_backend(cookie(ctx), sender)?;
    Some(Destination { address: pair.frontend, port: pair.frontend_port })
}

#[inline(always)]
fn cookie(ctx: &SockAddrContext) -> u64 {
    // SAFETY: the context of this program run.
    unsafe { bpf_get_socket_cookie(ctx.as_ptr()) }
}
