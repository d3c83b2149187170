//! The part of the model that the kernel should know: pure, and the same on every node but for the node's place.

mod census;
mod choose;
mod members;
mod rounding;
mod turns;
mod weights;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use evermesh_abi::{
    ALGORITHM_MAGLEV, ALGORITHM_NONE, ALGORITHM_RANDOM, ALGORITHM_ROUND_ROBIN, Address, FrontendKey,
    PROTOCOL_TCP, PROTOCOL_UDP, ServiceMeta,
};
use evermesh_model::{
    Algorithm, Digest, Mode, Passes, Place, Port, Protocol, Service, ServiceKey, Snapshot, Workload,
};

pub use census::Census;
pub use members::{MemberChange, Weighing, lower_members};
pub use rounding::Edges;
pub use turns::Turns;

use census::Class;
use choose::choose;

/// One service port of one address family: what the kernel knows as a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoweredPort {
    /// Port, family and digest.
    pub meta: ServiceMeta,
    /// How a slot is picked, as the tables say it; [`ALGORITHM_NONE`]: its flows are left alone.
    pub algorithm: u8,
    /// Under which keys it is reached.
    pub frontends: Vec<FrontendKey>,
    /// How those behind it weigh, as far as their slots do not tell.
    pub weighing: Weighing,
    /// Who stands behind it, in the order of their uids.
    pub endpoints: Vec<LoweredEndpoint>,
}

/// A workload's membership in a service port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoweredEndpoint {
    /// Digest of the workload's uid.
    pub workload: u64,
    /// Where it listens.
    pub address: Address,
    /// Network byte order.
    pub port: u16,
    /// How many slots it gets. 0: it takes no new flows and keeps those it has.
    pub slots: u32,
}

impl LoweredEndpoint {
    /// What makes it another endpoint than others, with however many slots.
    pub(crate) fn identity(&self) -> Identity {
        (self.workload, self.address, self.port)
    }
}

/// A workload, and where it listens.
pub(crate) type Identity = (u64, Address, u16);

/// A workload that could stand behind a service port.
#[derive(Clone, Copy, Debug)]
struct Candidate<'a> {
    workload: &'a Workload,
    address: IpAddr,
    port: u16,
}

/// What one service becomes. Virtual IPs and workloads on other networks are left out: they are reached
/// through gateways.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lowered {
    /// Its ports.
    pub ports: Vec<LoweredPort>,
    /// Its virtual IPs: ports on them that it does not offer are refused.
    pub addresses: Vec<Address>,
}

/// Lowers every service of a snapshot, for a node at this place.
pub fn lower_all<'a>(
    snapshot: &'a Snapshot,
    place: &'a Place,
) -> impl Iterator<Item = (ServiceKey, Lowered)> + 'a {
    snapshot
        .services_with_members()
        .map(|(service, members)| (service.key.clone(), lower(service, members, place)))
}

/// Lowers one service and the workloads behind it, for a node at this place.
pub fn lower<'a>(
    service: &Service,
    members: impl Iterator<Item = &'a Arc<Workload>>,
    place: &Place,
) -> Lowered {
    if service.balancing.mode == Mode::Passthrough {
        return Lowered::default();
    }
    let members: Vec<&Workload> = members.map(AsRef::as_ref).collect();
    let mut lowered = Lowered::default();
    for family in [Family::V4, Family::V6] {
        let vips = vips_of(service, family);
        lowered.addresses.extend(&vips);
        if vips.is_empty() {
            continue;
        }
        let ports = service.ports.iter();
        lowered.ports.extend(ports.map(|(&number, port)| {
            let candidates = candidates(&members, service, place, (number, port), family);
            let census = candidates.iter().map(|(_, class)| *class).collect();
            let mut choice = choose(&service.balancing, &census);
            let left_alone = service.leaves_alone(number, members.iter().copied());
            let weighing = Weighing::of(&service.balancing, census, &choice, &candidates);
            let given = |(candidate, class): &(_, _)| Some(endpoint(candidate, choice.next(class)?));
            LoweredPort {
                meta: meta(&service.key, number, family),
                algorithm: if left_alone { ALGORITHM_NONE } else { algorithm(service.balancing.algorithm) },
                frontends: frontends(&vips, number, port),
                weighing,
                endpoints: candidates.iter().filter_map(given).collect(),
            }
        }));
    }
    lowered
}

fn vips_of(service: &Service, family: Family) -> Vec<Address> {
    let here = service.vips.iter().filter(|vip| vip.network.is_empty() && family.has(&vip.address));
    here.map(|vip| vip.address.into()).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    fn has(self, ip: &IpAddr) -> bool {
        ip.is_ipv4() == (self == Self::V4)
    }
}

fn meta(key: &ServiceKey, port: u16, family: Family) -> ServiceMeta {
    let digest = Digest::of_service_port(key, port, family.number()).get();
    ServiceMeta { flags: 0, port, family: family.number(), pad: 0, digest }
}

fn algorithm(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Random => ALGORITHM_RANDOM,
        Algorithm::RoundRobin => ALGORITHM_ROUND_ROBIN,
        Algorithm::Maglev => ALGORITHM_MAGLEV,
    }
}

fn frontends(vips: &[Address], number: u16, port: &Port) -> Vec<FrontendKey> {
    let key = |address, protocol: &Protocol| {
        let protocol = match protocol {
            Protocol::Tcp => PROTOCOL_TCP,
            Protocol::Udp => PROTOCOL_UDP,
        };
        FrontendKey::new(address, number.to_be(), protocol)
    };
    vips.iter().flat_map(|&address| port.protocols.iter().map(move |p| key(address, p))).collect()
}

fn candidates<'a>(
    members: &[&'a Workload],
    service: &Service,
    place: &Place,
    port: (u16, &Port),
    family: Family,
) -> Vec<(Candidate<'a>, Class)> {
    if service.withheld || port.1.passes == Passes::Always {
        return Vec::new();
    }
    let mut candidates = Vec::with_capacity(members.len());
    let all = members.iter();
    candidates.extend(all.filter_map(|workload| classed(workload, service, place, port, family)));
    candidates
}

/// A member of the service, if it may and can be reached, and of which class it is.
fn classed<'a>(
    workload: &'a Workload,
    service: &Service,
    place: &Place,
    (number, port): (u16, &Port),
    family: Family,
) -> Option<(Candidate<'a>, Class)> {
    let own = workload.services.deviates().then(|| workload.services.get(&service.key)).flatten();
    let candidate = candidate(workload, own, number, port, family)?;
    Some((candidate, Class::of(&service.balancing, place, workload)))
}

/// The workload, if it may and can be reached: on this network, with an address of the family and a target port. `own` are the
/// ports on which it deviates, if it does on any.
fn candidate<'a>(
    workload: &'a Workload,
    own: Option<&BTreeMap<u16, u16>>,
    number: u16,
    port: &Port,
    family: Family,
) -> Option<Candidate<'a>> {
    let address = *workload.addresses.iter().find(|ip| family.has(ip))?;
    let port = *own.and_then(|own| own.get(&number)).unwrap_or(&port.target_port);
    (port != 0 && workload.network.is_empty() && !workload.withheld).then_some(Candidate {
        workload,
        address,
        port,
    })
}

fn endpoint(candidate: &Candidate<'_>, slots: u32) -> LoweredEndpoint {
    let &Candidate { workload, address, port } = candidate;
    let workload = workload.uid.digest().get();
    LoweredEndpoint { workload, address: address.into(), port: port.to_be(), slots }
}
