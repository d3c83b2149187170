use std::{collections::BTreeMap, net::IpAddr};

use evermesh_abi::{Endpoint, FrontendKey, PROTOCOL_TCP, PROTOCOL_UDP};
use evermesh_model::{Health, Protocol, Service, Snapshot, Workload};

use super::TableRead;

/// Where a connection can end up: what tables or model *mean*, apart from how they say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning(pub BTreeMap<FrontendKey, Target>);

/// What becomes of a destination that the mesh knows. One that it does not know has no entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Refused: a virtual IP without such a port.
    Refused,
    /// One of these addresses and ports (host byte order), with its share in slots. Refused if there are none.
    Endpoints(BTreeMap<(IpAddr, u16), usize>),
    /// The tables contradict themselves.
    Broken(&'static str),
}

impl Target {
    /// This target as a set: who can be reached, whatever the shares.
    pub fn reachable(&self) -> Option<Vec<(IpAddr, u16)>> {
        match self {
            Self::Refused => Some(Vec::new()),
            Self::Endpoints(endpoints) => Some(endpoints.keys().copied().collect()),
            Self::Broken(_) => None,
        }
    }
}

impl Meaning {
    /// What the kernel programs make of these tables.
    pub fn of_tables(tables: &impl TableRead) -> Self {
        let target = |(key, value): (FrontendKey, evermesh_abi::FrontendValue)| {
            let marker = key == FrontendKey::known_address(key.address);
            let target = match (value.belongs_to(&key), marker) {
                (false, _) => Target::Broken("a fingerprint of another key"),
                (true, true) => Target::Refused,
                (true, false) => endpoints(tables, value.service()),
            };
            (key, target)
        };
        Self(tables.frontends().into_iter().map(target).collect())
    }

    /// What the model asks for.
    pub fn of_model(snapshot: &Snapshot) -> Self {
        let mut meaning = Self::default();
        for service in snapshot.services() {
            for vip in service.vips.iter().filter(|vip| vip.network.is_empty()) {
                meaning.0.insert(FrontendKey::known_address(vip.address.into()), Target::Refused);
                meaning.add(snapshot, service, vip.address);
            }
        }
        meaning
    }

    fn add(&mut self, snapshot: &Snapshot, service: &Service, vip: IpAddr) {
        for (&number, port) in &service.ports {
            let reach = |workload| reach(workload, service, number, port.target_port, vip.is_ipv4());
            let mut shares = BTreeMap::new();
            for endpoint in snapshot.members(&service.key).filter_map(|workload| reach(workload)) {
                *shares.entry(endpoint).or_default() += 1;
            }
            for protocol in &port.protocols {
                let key = FrontendKey::new(vip.into(), number.to_be(), protocol_number(*protocol));
                self.0.insert(key, Target::Endpoints(shares.clone()));
            }
        }
    }
}

fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => PROTOCOL_TCP,
        Protocol::Udp => PROTOCOL_UDP,
    }
}

fn reach(
    workload: &Workload,
    service: &Service,
    number: u16,
    target: u16,
    ipv4: bool,
) -> Option<(IpAddr, u16)> {
    let healthy = workload.health == Health::Healthy && workload.network.is_empty();
    let own = workload.services.get(&service.key)?.get(&number).copied();
    let address = workload.addresses.iter().copied().find(|ip| ip.is_ipv4() == ipv4)?;
    let port = own.unwrap_or(target);
    (healthy && port != 0).then_some((address, port))
}

fn endpoints(tables: &impl TableRead, service: u32) -> Target {
    let Some(word) = tables.service(service) else { return Target::Broken("a service beyond the table") };
    let mut shares = BTreeMap::new();
    for slot in word.offset()..word.offset().saturating_add(word.count()) {
        match record(tables, slot) {
            Some(record) => {
                *shares.entry((record.address.into(), u16::from_be(record.port))).or_default() += 1
            }
            None => return Target::Broken("a slot without an endpoint"),
        }
    }
    Target::Endpoints(shares)
}

fn record(tables: &impl TableRead, slot: u32) -> Option<Endpoint> {
    let id = u32::try_from(tables.slot(slot)?).ok()?;
    tables.endpoint(id).filter(|record| record.port != 0)
}
