use std::{collections::BTreeMap, net::IpAddr};

use evermesh_abi::{Address, FrontendKey, PROTOCOL_TCP, PROTOCOL_UDP, SERVICE_MODE_RANDOM, ServiceMeta};
use evermesh_model::{Digest, Health, Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload};

/// One service port of one address family: what the kernel knows as a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoweredPort {
    /// Port, family and digest.
    pub meta: ServiceMeta,
    /// Under which keys it is reached.
    pub frontends: Vec<FrontendKey>,
    /// Who stands behind it, by workload uid.
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

/// Lowers every service of a snapshot.
pub fn lower_all(snapshot: &Snapshot) -> BTreeMap<ServiceKey, Lowered> {
    snapshot.services().map(|service| (service.key.clone(), lower(snapshot, service))).collect()
}

/// Lowers one service of a snapshot.
pub fn lower(snapshot: &Snapshot, service: &Service) -> Lowered {
    let vips: Vec<IpAddr> = service.vips.iter().filter(|vip| is_here(vip)).map(|vip| vip.address).collect();
    let mut lowered =
        Lowered { ports: Vec::new(), addresses: vips.iter().copied().map(Address::from).collect() };
    for family in [Family::V4, Family::V6] {
        let vips: Vec<Address> =
            vips.iter().copied().filter(|ip| family.has(ip)).map(Address::from).collect();
        if vips.is_empty() {
            continue;
        }
        let ports = service.ports.iter();
        lowered.ports.extend(ports.map(|(&number, port)| LoweredPort {
            meta: meta(&service.key, number, family),
            frontends: frontends(&vips, number, port),
            endpoints: endpoints(snapshot, service, number, port, family),
        }));
    }
    lowered
}

fn is_here(vip: &VirtualIp) -> bool {
    vip.network.is_empty()
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
    ServiceMeta { mode: SERVICE_MODE_RANDOM, flags: 0, port, family: family.number(), pad: 0, digest }
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

fn endpoints(
    snapshot: &Snapshot,
    service: &Service,
    number: u16,
    port: &Port,
    family: Family,
) -> Vec<LoweredEndpoint> {
    let members = snapshot.members(&service.key).filter(|workload| takes_traffic(workload));
    members.filter_map(|workload| endpoint(workload, &service.key, number, port, family)).collect()
}

fn takes_traffic(workload: &Workload) -> bool {
    workload.health == Health::Healthy && workload.network.is_empty()
}

fn endpoint(
    workload: &Workload,
    service: &ServiceKey,
    number: u16,
    port: &Port,
    family: Family,
) -> Option<LoweredEndpoint> {
    let address = workload.addresses.iter().find(|ip| family.has(ip))?;
    let own = workload.services.get(service)?.get(&number);
    let target = *own.unwrap_or(&port.target_port);
    (target != 0).then(|| LoweredEndpoint {
        workload: Digest::of_workload(&workload.uid).get(),
        address: (*address).into(),
        port: target.to_be(),
    })
}
