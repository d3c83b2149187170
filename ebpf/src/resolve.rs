use evermesh_abi::{Counter, FrontendKey, FrontendValue};

use crate::{count::count, lease, maps::FRONTENDS};

/// What the mesh knows about a destination.
pub enum Resolved {
    /// Nothing: it is left alone.
    Unknown,
    /// It is a port of this service.
    Service(u32),
    /// The address is a virtual IP, the port is not one of its own.
    UnknownPort,
}

/// An element may be freed and reused for another key between look-up and load. The fingerprint in the value
/// tells; a second look-up then finds the truth. Losing this race four times in a row is refused like an unknown port.
const ATTEMPTS: usize = 4;

/// Of a new virtual IP the keys come before its mark, and of one that goes the mark goes before the keys. A program that is held up
/// between the two look-ups may have missed the key and then meet the mark: it looks again.
const ROUNDS: usize = 2;

#[inline(always)]
pub fn resolve(key: &FrontendKey) -> Resolved {
    for _ in 0..ROUNDS {
        match lookup(key) {
            Lookup::Found(value) => return unless_stale(|| Resolved::Service(value.service())),
            Lookup::Raced => return unless_stale(refuse),
            Lookup::Missing => {}
        }
        if let Lookup::Missing = lookup(&FrontendKey::known_address(key.address)) {
            count(Counter::Elsewhere);
            return Resolved::Unknown;
        }
    }
    unless_stale(refuse)
}

/// What the tables say counts for as long as somebody keeps them.
#[inline(always)]
fn unless_stale(resolved: impl FnOnce() -> Resolved) -> Resolved {
    if lease::is_over() {
        count(Counter::Stale);
        return Resolved::Unknown;
    }
    resolved()
}

enum Lookup {
    Missing,
    Found(FrontendValue),
    Raced,
}

#[inline(always)]
fn lookup(key: &FrontendKey) -> Lookup {
    for _ in 0..ATTEMPTS {
        let Some(word) = FRONTENDS.get_ptr(key) else { return Lookup::Missing };
        // SAFETY: the pointer comes from a look-up that succeeded; an aligned u64 is loaded whole.
        let value = FrontendValue(unsafe { word.read_volatile() });
        if value.belongs_to(key) {
            return Lookup::Found(value);
        }
        count(Counter::Retried);
    }
    Lookup::Raced
}

#[inline(always)]
fn refuse() -> Resolved {
    count(Counter::RefusedPort);
    Resolved::UnknownPort
}
