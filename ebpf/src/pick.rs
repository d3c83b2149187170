use aya_ebpf::helpers::generated::bpf_get_prandom_u32;
use evermesh_abi::{ALGORITHM_MAGLEV, ALGORITHM_NONE, ALGORITHM_ROUND_ROBIN, Counter, Endpoint, ServiceWord};

use crate::{
    count::count,
    destination::Destination,
    maps::{ENDPOINTS, Enrolled, SERVICES, SLOTS, TURNS},
    pod,
};

/// An endpoint that was chosen for a flow.
#[derive(Clone, Copy)]
pub struct Picked {
    pub id: u32,
    pub backend: Destination,
}

/// What a service does with a flow.
pub enum Choice {
    /// It goes to this endpoint.
    Led(Picked),
    /// It goes where it was going.
    LeftAlone,
    /// There is nobody to go to.
    Refused,
}

/// Takes a slot of the service as its algorithm says.
#[inline(always)]
pub fn pick(service: u32, client: &Enrolled) -> Choice {
    let Some(word) = SERVICES.get_ptr(service) else { return Choice::Refused };
    // SAFETY: the pointer comes from a look-up that succeeded; an aligned u64 is loaded whole.
    let word = ServiceWord(unsafe { word.read_volatile() });
    if word.count() == 0 {
        return without_slots(word);
    }
    match at(word.offset().wrapping_add(index(service, word, client))) {
        Some(picked) => {
            count(Counter::Translated);
            Choice::Led(picked)
        }
        None => {
            count(Counter::Hole);
            Choice::Refused
        }
    }
}

#[inline(always)]
fn without_slots(word: ServiceWord) -> Choice {
    if word.algorithm() == ALGORITHM_NONE {
        count(Counter::LeftAlone);
        return Choice::LeftAlone;
    }
    count(Counter::RefusedEmpty);
    Choice::Refused
}

#[inline(always)]
fn index(service: u32, word: ServiceWord, client: &Enrolled) -> u32 {
    let number = match word.algorithm() {
        ALGORITHM_ROUND_ROBIN => next_turn(service),
        ALGORITHM_MAGLEV => pod::client_hash(client),
        _ => random(),
    };
    // The compiler does not see that the count is not zero, and must not plan for a panic.
    number.checked_rem(word.count().into()).unwrap_or(0) as u32
}

#[inline(always)]
fn random() -> u64 {
    // SAFETY: a helper without pointers.
    unsafe { bpf_get_prandom_u32() }.into()
}

/// Per CPU; what interrupts this run may take the same turn.
#[inline(always)]
fn next_turn(service: u32) -> u64 {
    let Some(turn) = TURNS.get_ptr_mut(service) else { return 0 };
    // SAFETY: the pointer comes from a look-up that succeeded.
    unsafe {
        *turn = (*turn).wrapping_add(1);
        *turn
    }
}

#[inline(always)]
fn at(slot: u32) -> Option<Picked> {
    // SAFETY: the pointer comes from a look-up that succeeded; an aligned u64 is loaded whole.
    let id = unsafe { SLOTS.get_ptr(slot)?.read_volatile() } as u32;
    let record = record(id)?;
    (record.port != 0).then_some(Picked { id, backend: backend(record) })
}

/// Whether the endpoint that a flow remembers is still a member of the service.
#[inline(always)]
pub fn is_member(id: u32, service: u32, at: &Destination) -> bool {
    let Some(record) = record(id) else { return false };
    // SAFETY: a reference to a field of a record in the map; the writer replaces it by one atomic store.
    let owner = unsafe { (&raw const record.service).read_volatile() };
    owner == service && at.is(&record.address, record.port)
}

#[inline(always)]
fn record(id: u32) -> Option<&'static Endpoint> {
    // SAFETY: array elements live as long as the map, which outlives the program run; a record does not
    // change while a slot refers to it or a run that read that slot goes on.
    ENDPOINTS.get_ptr(id).map(|record| unsafe { &*record })
}

#[inline(always)]
fn backend(record: &Endpoint) -> Destination {
    Destination { address: record.address, port: record.port }
}
