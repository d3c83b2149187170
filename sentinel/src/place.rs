use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use evermesh_model::{Passes, Port, Protocol, Service, ServiceKey, VirtualIp, Workload, WorkloadUid};

/// What it is enrolled as.
pub const NAME: &str = "evermesh/sentinel";

/// The dummy address of RFC 7600 and an address of the discard-only block of RFC 6666: no host has them.
pub(crate) const VIRTUAL: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 0, 8)), IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 8))];
/// A port of the service.
pub(crate) const PORT: u16 = 7;
/// A port that it does not have.
pub(crate) const UNKNOWN_PORT: u16 = 9;
/// Where its server listens, by TCP and UDP.
const TARGET: u16 = 7007;

/// Where the server listens for a family.
pub(crate) fn target(virtual_ip: IpAddr) -> SocketAddr {
    let loopback: IpAddr = match virtual_ip {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(loopback, TARGET)
}

fn key() -> ServiceKey {
    ServiceKey { namespace: "evermesh".into(), hostname: "sentinel.evermesh.internal".into() }
}

/// The service that it asks for.
pub fn service() -> Service {
    let vip = |address| VirtualIp { network: String::new().into(), address };
    let protocols = vec![Protocol::Tcp, Protocol::Udp];
    let port = Port { target_port: TARGET, protocols, passes: Passes::Never };
    Service {
        name: "sentinel".into(),
        key: key(),
        vips: VIRTUAL.map(vip).to_vec(),
        ports: BTreeMap::from([(PORT, port)]),
        ..Service::default()
    }
}

/// What stands behind it.
pub fn workload() -> Workload {
    Workload {
        uid: WorkloadUid::new(NAME),
        name: "sentinel".into(),
        namespace: "evermesh".into(),
        addresses: VIRTUAL.map(|virtual_ip| target(virtual_ip).ip()).to_vec().into(),
        services: [(key(), BTreeMap::new())].into(),
        ..Workload::default()
    }
}
