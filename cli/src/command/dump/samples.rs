//! Tables as they stand in a small mesh, made by hand.

use std::net::IpAddr;

use evermesh_abi::{Endpoint, FrontendKey, PROTOCOL_TCP, PROTOCOL_UDP, ServiceMeta};
use evermesh_model::{Digest, Port, Protocol, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid};

use crate::{
    live::{Service, Tables},
    names::Names,
};

fn key(host: &str) -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: format!("{host}.demo.svc").into() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn service(host: &str, port: u16, family: u8, vip: &str, protocols: &[u8], slots: &[u64]) -> Service {
    let digest = Digest::of_service_port(&key(host), port, family).get();
    let frontend = |&protocol: &u8| FrontendKey::new(ip(vip).into(), port.to_be(), protocol);
    Service {
        meta: ServiceMeta { port, family, digest, ..ServiceMeta::default() },
        algorithm: 0,
        frontends: protocols.iter().map(frontend).collect(),
        slots: slots.to_vec(),
    }
}

fn endpoint(uid: &str, service: u32, address: &str, port: u16) -> Endpoint {
    let workload = WorkloadUid::new(uid).digest().get();
    Endpoint { address: ip(address).into(), port: port.to_be(), service, workload, ..Endpoint::default() }
}

/// `web` over IPv4 and IPv6, `dns` over both protocols with a workload that leaves, `idle` without endpoints.
pub fn tables() -> Tables {
    let both = [PROTOCOL_TCP, PROTOCOL_UDP];
    Tables {
        generation: 3,
        services: [
            (1, service("web", 80, 4, "10.96.0.10", &[PROTOCOL_TCP], &[1, 2, 1])),
            (2, service("web", 80, 6, "fd00:96::10", &[PROTOCOL_TCP], &[3])),
            (5, service("dns", 53, 4, "10.96.0.53", &both, &[4])),
            (6, service("idle", 443, 4, "10.96.0.99", &[PROTOCOL_TCP], &[])),
        ]
        .into(),
        endpoints: [
            (1, endpoint("w1", 1, "10.0.0.1", 8080)),
            (2, endpoint("w2", 1, "10.0.0.2", 8080)),
            (3, endpoint("w1", 2, "fd00::1", 8080)),
            (4, endpoint("w1", 5, "10.0.0.1", 5353)),
            (5, endpoint("w3", 5, "10.0.0.3", 5353)),
        ]
        .into(),
    }
}

/// Of `web`, `dns`, `w1` and `w2`: the rest is of a configuration that is not known.
pub fn names() -> Names {
    let service = |host: &str, port, address: &str| evermesh_model::Service {
        name: host.into(),
        key: key(host),
        vips: vec![VirtualIp { network: String::new().into(), address: ip(address) }],
        ports: [(port, Port::new(8080, vec![Protocol::Tcp]))].into(),
        ..evermesh_model::Service::default()
    };
    let workload = |uid: &str| Workload {
        uid: WorkloadUid::new(uid),
        name: uid.into(),
        namespace: "demo".into(),
        addresses: vec![].into(),
        services: [].into(),
        ..Workload::default()
    };
    let services = [service("web", 80, "10.96.0.10"), service("dns", 53, "10.96.0.53")];
    let workloads = [workload("w1"), workload("w2")];
    Names::of(&Snapshot::new(services, workloads, []).unwrap())
}
