//! The tables beside the reference.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use evermesh_abi::{ALGORITHM_MAGLEV, ALGORITHM_RANDOM, ALGORITHM_ROUND_ROBIN, ServiceWord};
use evermesh_loader::tables::TableRead;
use evermesh_model::{Algorithm, Place, Snapshot};
use evermesh_reference::{Answer, Endpoint, Maglev, Ratio, answer, history::destinations, whole_numbers};

use crate::kernel::{Flow, Kernel};

/// Slots that a service with weights may take, unless its endpoints are more than half as many.
const SLOTS: u128 = 1024;
const CLIENTS: [[u8; 4]; 6] =
    [[10, 244, 0, 1], [10, 244, 0, 2], [10, 244, 7, 9], [10, 245, 0, 1], [192, 168, 1, 1], [1, 2, 3, 4]];

type Slots = BTreeMap<(IpAddr, u16), u128>;

/// The first destination that leads somewhere else than the reference says.
pub fn disagreement(snapshot: &Snapshot, place: &Place, tables: &dyn TableRead) -> Option<String> {
    let kernel = Kernel::new(tables);
    destinations().find_map(|(address, port, protocol)| {
        let wanted = answer(snapshot, place, address, port, protocol);
        let wrong = compare(&kernel, kernel.flow(address, port, protocol), &wanted)?;
        Some(format!("{address} port {port} over {protocol:?}: {wrong}; the reference says {wanted:?}"))
    })
}

fn compare(kernel: &Kernel<'_>, found: Flow, wanted: &Answer<'_>) -> Option<String> {
    match (found, wanted) {
        (Flow::LeftAlone, Answer::LeftAlone) | (Flow::Refused, Answer::Refused) => None,
        (Flow::Balanced(word), Answer::Led { algorithm, .. }) if word.algorithm() != number(*algorithm) => {
            Some(format!("algorithm {}", word.algorithm()))
        }
        (Flow::Balanced(word), Answer::Led { algorithm: Algorithm::Maglev, endpoints }) => {
            by_client(kernel, word, endpoints)
        }
        (Flow::Balanced(word), Answer::Led { endpoints, .. }) => by_share(&kernel.slots(word), endpoints),
        (found, _) => Some(format!("{found:?}")),
    }
}

fn number(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Random => ALGORITHM_RANDOM,
        Algorithm::RoundRobin => ALGORITHM_ROUND_ROBIN,
        Algorithm::Maglev => ALGORITHM_MAGLEV,
    }
}

fn by_share(slots: &Option<Slots>, endpoints: &[Endpoint<'_>]) -> Option<String> {
    let Some(slots) = slots else { return Some("a hole".to_owned()) };
    let total = slots.values().sum();
    let agrees = match exact(endpoints) {
        Some(parts) => agree(slots, endpoints, &exactly(&parts, total)),
        None => {
            let allowed: Vec<_> = endpoints.iter().map(|one| around(one, total)).collect();
            total == rounded_total(endpoints)
                && agree(slots, endpoints, &allowed)
                && splits(slots, endpoints, total)
        }
    };
    (!agrees).then(|| format!("slots {slots:?}"))
}

/// Whether each revision has its part of all slots. Where it shares a place with another one, that cannot be told.
fn splits(slots: &Slots, endpoints: &[Endpoint<'_>], total: u128) -> bool {
    let place = |endpoint: &Endpoint<'_>| (endpoint.address, endpoint.port);
    endpoints.iter().filter(|one| one.revision.part < one.revision.whole).all(|one| {
        let is_of_it = |other: &&Endpoint<'_>| other.workload.revision == one.workload.revision;
        let (own, others): (Vec<_>, Vec<_>) = endpoints.iter().partition(is_of_it);
        let places: BTreeSet<_> = own.into_iter().map(place).collect();
        let found: u128 = places.iter().filter_map(|place| slots.get(place)).sum();
        let (least, most) = (floor(one.revision, total), ceiling(one.revision, total));
        others.into_iter().any(|other| places.contains(&place(other))) || (least..=most).contains(&found)
    })
}

/// As many slots as there is room for, less what the parts of the revisions do not go into without a rest, if they do at all.
fn rounded_total(endpoints: &[Endpoint<'_>]) -> u128 {
    let revisions: BTreeMap<_, _> =
        endpoints.iter().map(|one| (one.workload.revision.as_str(), one.revision)).collect();
    let parts: Vec<Ratio> = match endpoints.first() {
        Some(one) if one.revision.part < one.revision.whole => revisions.into_values().collect(),
        _ => vec![Ratio::new(1, 1)],
    };
    let whole = whole_numbers(&parts).map(|parts| parts.into_iter().sum());
    let room = room(endpoints);
    whole.filter(|whole| *whole <= room).map_or(room, |whole: u128| room / whole * whole)
}

/// Whether each place has as many slots as is allowed to the endpoints there together, and there is no other place.
fn agree(slots: &Slots, endpoints: &[Endpoint<'_>], allowed: &[(u128, u128)]) -> bool {
    let mut by_place: BTreeMap<(IpAddr, u16), (u128, u128)> = BTreeMap::new();
    for (endpoint, (least, most)) in endpoints.iter().zip(allowed) {
        let (low, high) = by_place.entry((endpoint.address, endpoint.port)).or_default();
        (*low, *high) = (*low + least, *high + most);
    }
    let mut places = by_place.iter();
    slots.keys().all(|place| by_place.contains_key(place))
        && places.all(|(place, (low, high))| (*low..=*high).contains(slots.get(place).unwrap_or(&0)))
}

/// What the shares are as numbers of slots, if that many slots may be taken.
fn exact(endpoints: &[Endpoint<'_>]) -> Option<Vec<u128>> {
    let shares: Vec<Ratio> = endpoints.iter().map(|endpoint| endpoint.share).collect();
    whole_numbers(&shares).filter(|parts| parts.iter().sum::<u128>() <= room(endpoints))
}

fn room(endpoints: &[Endpoint<'_>]) -> u128 {
    SLOTS.max(2 * endpoints.len() as u128)
}

/// The same multiple of each part; nothing where the total is no such multiple.
fn exactly(parts: &[u128], total: u128) -> Vec<(u128, u128)> {
    let whole: u128 = parts.iter().sum();
    let times = |part: &u128| part * (total / whole);
    if total.is_multiple_of(whole) {
        parts.iter().map(|part| (times(part), times(part))).collect()
    } else {
        Vec::new()
    }
}

/// The whole numbers beside its part of those that its revision may have.
fn around(Endpoint { revision, share, .. }: &Endpoint<'_>, slots: u128) -> (u128, u128) {
    let among_peers = Ratio::new(share.part * revision.whole, share.whole * revision.part);
    (floor(among_peers, floor(*revision, slots)), ceiling(among_peers, ceiling(*revision, slots)))
}

fn floor(part: Ratio, slots: u128) -> u128 {
    slots * part.part / part.whole
}

fn ceiling(part: Ratio, slots: u128) -> u128 {
    (slots * part.part).div_ceil(part.whole)
}

fn by_client(kernel: &Kernel<'_>, word: ServiceWord, endpoints: &[Endpoint<'_>]) -> Option<String> {
    let clients = Clients::of(endpoints);
    CLIENTS.map(IpAddr::from).into_iter().find_map(|client| {
        let found = kernel.pick(word, client);
        let agrees = found.is_some_and(|found| clients.places(client).contains(&found));
        (!agrees).then(|| format!("client {client} is led to {found:?}"))
    })
}

/// Where each client may be led to by Maglev.
pub struct Clients<'a> {
    /// Only of weights that need not be rounded.
    exact: Option<Maglev<'a>>,
    endpoints: &'a [Endpoint<'a>],
}

impl<'a> Clients<'a> {
    pub fn of(endpoints: &'a [Endpoint<'a>]) -> Self {
        Self { exact: exact(endpoints).and_then(|_| Maglev::of(endpoints)), endpoints }
    }

    /// Where the weights must be rounded, a client may be led elsewhere than by the exact ones, but to no stranger.
    pub fn places(&self, client: IpAddr) -> BTreeSet<(IpAddr, u16)> {
        let place = |endpoint: &Endpoint<'_>| (endpoint.address, endpoint.port);
        match &self.exact {
            Some(maglev) => [place(maglev.pick(client))].into(),
            None => self.endpoints.iter().map(place).collect(),
        }
    }
}
