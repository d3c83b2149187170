use aya_ebpf::{bindings::BPF_TCP_ESTABLISHED, programs::SockAddrContext};
use evermesh_abi::{Counter, Origin, PROTOCOL_UDP};

use crate::{
    count::count,
    destination::{Destination, Family},
    maps::Enrolled,
    origin,
    pick::{self, Choice, Picked},
    pod,
    resolve::{Resolved, resolve},
    udp_origin,
    verdict::{ECONNREFUSED, ENOBUFS, Verdict},
};

/// A datagram with an address of its own. A socket that is connected to the same virtual IP keeps to its
/// backend; any other keeps to one backend per service while that is a member.
#[inline(always)]
pub fn sendmsg<F: Family>(ctx: &SockAddrContext) -> Verdict {
    let Some(pod) = pod::of(ctx) else { return Verdict::Proceed };
    let asked = F::read(ctx);
    let socket = origin::cookie(ctx);
    let origin = origin::of(socket);
    if let Some(backend) = origin.as_deref().and_then(|origin| backend_connected_to(ctx, origin, &asked)) {
        F::write(ctx, &backend);
        return Verdict::Proceed;
    }
    let client = Client { pod, socket, has_pairs: origin.is_some_and(|origin| origin.udp_origins > 0) };
    match resolve(&asked.frontend(PROTOCOL_UDP)) {
        Resolved::Service(service) => translate::<F>(ctx, &client, service, &asked),
        Resolved::UnknownPort => Verdict::Fail(ECONNREFUSED),
        Resolved::Unknown => leave_alone(&client, &asked),
    }
}

/// A datagram that arrived: the sender's address becomes the virtual IP that this socket asked for, if it did.
#[inline(always)]
pub fn recvmsg<F: Family>(ctx: &SockAddrContext) -> Verdict {
    let socket = origin::cookie(ctx);
    let Some(origin) = origin::of(socket) else { return Verdict::Proceed };
    let sender = F::read(ctx);
    if let Some(frontend) =
        origin::frontend_of(&origin, &sender).or_else(|| asked_for(socket, &origin, &sender))
    {
        F::write(ctx, &frontend);
    }
    Verdict::Proceed
}

/// Who sends.
struct Client {
    pod: &'static Enrolled,
    socket: u64,
    /// It has asked services.
    has_pairs: bool,
}

#[inline(always)]
fn translate<F: Family>(
    ctx: &SockAddrContext,
    client: &Client,
    service: u32,
    asked: &Destination,
) -> Verdict {
    let socket = client.socket;
    // Pairs whose origin had to make room for others are made anew: without it no answer seems to come from where the socket asked.
    if client.has_pairs
        && let Some(backend) = backend_in_use(socket, service, asked)
    {
        F::write(ctx, &backend);
        return Verdict::Proceed;
    }
    match pick::pick(service, client.pod) {
        Choice::Led(picked) => lead::<F>(ctx, service, asked, &picked),
        Choice::LeftAlone => leave_alone(client, asked),
        Choice::Refused => Verdict::Fail(ECONNREFUSED),
    }
}

#[inline(always)]
fn lead<F: Family>(ctx: &SockAddrContext, service: u32, asked: &Destination, picked: &Picked) -> Verdict {
    // Asked anew: what is kept until here takes room on the stack, which is short.
    let socket = origin::cookie(ctx);
    let remembered = origin::of_or_new(socket)
        .is_some_and(|origin| udp_origin::remember(socket, origin, service, asked, picked).is_ok());
    if !remembered {
        count(Counter::OriginsFull);
        return Verdict::Fail(ENOBUFS);
    }
    F::write(ctx, &picked.backend);
    Verdict::Proceed
}

#[inline(always)]
fn leave_alone(client: &Client, asked: &Destination) -> Verdict {
    if client.has_pairs {
        udp_origin::asked_itself(client.socket, asked);
    }
    Verdict::Proceed
}

/// A socket that has been disconnected or destroyed since, which enters no hook, keeps to its backend like any other:
/// the kernel gives its IPv6 kind nothing but what comes from there.
#[inline(always)]
fn backend_connected_to(ctx: &SockAddrContext, origin: &Origin, asked: &Destination) -> Option<Destination> {
    let backend = origin::backend_of(origin, asked)?;
    let keeps = is_connected(ctx) || pick::is_member(origin.endpoint, origin.service, &backend);
    keeps.then_some(backend)
}

#[inline(always)]
fn is_connected(ctx: &SockAddrContext) -> bool {
    // SAFETY: the context of this program run; the kernel runs it with a socket.
    unsafe { (*(*ctx.sock_addr).__bindgen_anon_1.sk).state == BPF_TCP_ESTABLISHED }
}

#[inline(always)]
fn backend_in_use(socket: u64, service: u32, asked: &Destination) -> Option<Destination> {
    let pair = udp_origin::by_frontend(socket, asked)?;
    let backend = udp_origin::backend(&pair);
    let stays = pair.service == service && pick::is_member(pair.endpoint, service, &backend);
    stays.then(|| {
        udp_origin::use_again(socket, &pair);
        backend
    })
}

#[inline(always)]
fn asked_for(socket: u64, origin: &Origin, sender: &Destination) -> Option<Destination> {
    if origin.udp_origins == 0 {
        return None;
    }
    udp_origin::by_backend(socket, sender).map(|pair| udp_origin::frontend(&pair))
}
