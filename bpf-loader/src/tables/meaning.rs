use std::{collections::BTreeMap, net::IpAddr};

use evermesh_abi::{ALGORITHM_NONE, Endpoint, FrontendKey, FrontendValue};
use evermesh_model::ServiceKey;

use super::{
    TableRead,
    plan::{Weighted, slots},
};
use crate::lower::{Lowered, LoweredPort};

/// Where a connection can end up: what tables or model *mean*, apart from how they say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning(pub BTreeMap<FrontendKey, Target>);

/// What becomes of a destination that the mesh knows. One that it does not know has no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Refused: a virtual IP without such a port, or a service without endpoints.
    Refused,
    /// A port of a known virtual IP that is left alone as if it was of an unknown one.
    LeftAlone,
    /// One of these.
    Endpoints {
        /// How one is picked, as the tables say it.
        algorithm: u8,
        /// Addresses and ports (host byte order), each with its share in slots.
        shares: BTreeMap<(IpAddr, u16), usize>,
    },
    /// The tables contradict themselves.
    Broken(&'static str),
}

impl Target {
    /// Whether the same can be reached, whatever the shares.
    fn reaches_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Endpoints { shares, .. }, Self::Endpoints { shares: others, .. }) => {
                shares.keys().eq(others.keys())
            }
            _ => self == other,
        }
    }

    fn of(algorithm: u8, endpoints: impl IntoIterator<Item = (IpAddr, u16)>) -> Self {
        let mut shares = BTreeMap::new();
        for endpoint in endpoints {
            *shares.entry(endpoint).or_default() += 1;
        }
        match (shares.is_empty(), algorithm) {
            (true, ALGORITHM_NONE) => Self::LeftAlone,
            (true, _) => Self::Refused,
            (false, _) => Self::Endpoints { algorithm, shares },
        }
    }
}

impl Meaning {
    /// What the kernel programs make of these tables.
    pub fn of_tables(tables: &impl TableRead) -> Self {
        let target = |(key, value): (FrontendKey, FrontendValue)| {
            let marker = key == FrontendKey::known_address(key.address);
            let target = match (value.belongs_to(&key), marker) {
                (false, _) => Target::Broken("a fingerprint of another key"),
                (true, true) => Target::Refused,
                (true, false) => of_service(tables, value.service()),
            };
            (key, target)
        };
        Self(tables.frontends().into_iter().map(target).collect())
    }

    /// What the model asks for.
    pub fn of_model(lowered: &BTreeMap<ServiceKey, Lowered>) -> Self {
        let mut meaning = BTreeMap::new();
        for lowered in lowered.values() {
            let known = lowered.addresses.iter().map(|address| FrontendKey::known_address(*address));
            meaning.extend(known.map(|key| (key, Target::Refused)));
            for port in &lowered.ports {
                let target = of_port(port);
                meaning.extend(port.frontends.iter().map(|key| (*key, target.clone())));
            }
        }
        Self(meaning)
    }

    /// The first destination that reaches what it reaches in none of these states.
    pub fn stray(&self, states: &[Self]) -> Option<String> {
        let same = |one: Option<&Target>, other: Option<&Target>| match (one, other) {
            (Some(one), Some(other)) => one.reaches_like(other),
            (one, other) => one.is_none() && other.is_none(),
        };
        let is_stray = |key: &&FrontendKey| {
            let now = self.0.get(*key);
            !states.iter().any(|state| same(now, state.0.get(*key)))
        };
        let key = self.0.keys().chain(states.iter().flat_map(|state| state.0.keys())).find(is_stray)?;
        let allowed: Vec<_> = states.iter().map(|state| state.0.get(key)).collect();
        Some(format!("{key:?}: {:?}, not one of {allowed:?}", self.0.get(key)))
    }
}

fn of_service(tables: &impl TableRead, service: u32) -> Target {
    let Some(word) = tables.service(service) else { return Target::Broken("a service beyond the table") };
    let slots = word.offset()..word.offset().saturating_add(word.count());
    let records: Option<Vec<Endpoint>> = slots.map(|slot| record(tables, slot)).collect();
    match records {
        None => Target::Broken("a slot without an endpoint"),
        Some(records) => {
            let place = |record: Endpoint| (record.address.into(), u16::from_be(record.port));
            Target::of(word.algorithm(), records.into_iter().map(place))
        }
    }
}

fn record(tables: &impl TableRead, slot: u32) -> Option<Endpoint> {
    let id = u32::try_from(tables.slot(slot)?).ok()?;
    tables.endpoint(id).filter(|record| record.port != 0)
}

/// What the slots say whose endpoints have these numbers for ids.
fn of_port(port: &LoweredPort) -> Target {
    let mut endpoints: Vec<_> = port.endpoints.iter().filter(|endpoint| endpoint.slots > 0).collect();
    endpoints.sort_unstable();
    let weighted = |(id, endpoint): (u32, &&crate::LoweredEndpoint)| Weighted {
        id,
        workload: endpoint.workload,
        slots: endpoint.slots,
    };
    let slots = slots(port.algorithm, &(1..).zip(&endpoints).map(weighted).collect::<Vec<_>>());
    let place = |id: u32| {
        let endpoint = endpoints.get(usize::try_from(id).ok()?.checked_sub(1)?)?;
        Some((endpoint.address.into(), u16::from_be(endpoint.port)))
    };
    Target::of(port.algorithm, slots.into_iter().filter_map(place))
}
