//! Meshes that are drawn, and some that are told.

use std::collections::{BTreeMap, BTreeSet};

use evermesh_model::{
    Algorithm, Balancing, Health, Passes, Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload,
    WorkloadUid,
};
use proptest::prelude::*;

/// One service of a history: which virtual IPs, which ports, who stands behind it.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Whatever another service has not taken before.
    pub ipv4: Vec<u8>,
    pub ipv6: bool,
    pub ports: Vec<u16>,
    pub members: Vec<(u8, Health, u16)>,
    pub algorithm: Algorithm,
    /// Where two of its ports lead is not said.
    pub unsaid: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let ports = prop::sample::subsequence(vec![53, 80, 443], 0..=3);
    let health =
        prop_oneof![8 => Just(Health::Healthy), 1 => Just(Health::Unhealthy), 1 => Just(Health::Draining)];
    let members = prop::collection::vec((0u8..24, health, 8000u16..8003), 0..12);
    let algorithm = prop_oneof![4 => Just(Algorithm::Random), 1 => Just(Algorithm::RoundRobin)];
    let ipv4 = prop::sample::subsequence((0..6).collect::<Vec<u8>>(), 0..=2);
    (ipv4, any::<bool>(), ports, members, algorithm, any::<bool>()).prop_map(
        |(ipv4, ipv6, ports, members, algorithm, unsaid)| Shape {
            ipv4,
            ipv6,
            ports,
            members,
            algorithm,
            unsaid,
        },
    )
}

pub fn mesh() -> impl Strategy<Value = Snapshot> {
    prop::collection::btree_map(0u8..5, shape(), 0..5).prop_map(|shapes| snapshot(&shapes))
}

pub fn snapshot(shapes: &BTreeMap<u8, Shape>) -> Snapshot {
    let mut workloads = BTreeMap::new();
    for (&n, shape) in shapes {
        for &(member, health, port) in &shape.members {
            let workload = workloads.entry(member).or_insert_with(|| workload(member));
            workload.health = health;
            // Some weigh more, and not always the same.
            workload.capacity = if member < 20 { 1 } else { u32::from(port - 7998) };
            let mut targets = BTreeMap::from([(80, port)]);
            targets.extend((port == 8002).then_some((443, port)));
            let before = workload.services.iter().map(|(key, ports)| (key.clone(), ports.clone()));
            workload.services = before.chain([(key(n), targets)]).collect();
        }
    }
    let mut taken = BTreeSet::new();
    let services = shapes.iter().map(|(&n, shape)| {
        let ipv4 = shape.ipv4.iter().copied().filter(|one| taken.insert(*one)).collect();
        service(n, &Shape { ipv4, ..shape.clone() })
    });
    let services: Vec<_> = services.collect();
    Snapshot::new(services, workloads.into_values(), []).unwrap()
}

fn key(n: u8) -> ServiceKey {
    ServiceKey { namespace: "ns".into(), hostname: format!("s{n}.example").into() }
}

fn service(n: u8, shape: &Shape) -> Service {
    let vip =
        |address: String| VirtualIp { network: String::new().into(), address: address.parse().unwrap() };
    let mut vips = Vec::new();
    vips.extend(shape.ipv4.iter().map(|n| vip(format!("10.96.0.{}", n + 1))));
    vips.extend(shape.ipv6.then(|| vip(format!("fd00:96::{}", n + 1))));
    let protocols = vec![Protocol::Tcp, Protocol::Udp];
    let port = |&number: &u16| {
        let (target_port, passes) = match (number, shape.unsaid) {
            (443, true) => (0, Passes::Untargeted),
            (53, true) => (0, Passes::Always),
            _ => (number + 1, Passes::Never),
        };
        (number, Port { passes, ..Port::new(target_port, protocols.clone()) })
    };
    let ports = shape.ports.iter().map(port).collect();
    let balancing = Balancing { algorithm: shape.algorithm, ..Balancing::default() };
    Service { name: format!("s{n}").into(), key: key(n), vips, ports, balancing, withheld: false }
}

fn workload(n: u8) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("w{n}")),
        name: format!("w{n}").into(),
        namespace: "ns".into(),
        addresses: vec![format!("10.244.0.{n}").parse().unwrap(), format!("fd00:244::{n}").parse().unwrap()]
            .into(),
        ..Workload::default()
    }
}

/// One service with so many endpoints.
pub fn endpoints(members: std::ops::Range<u8>) -> Snapshot {
    balanced(Algorithm::Random, members)
}

pub fn balanced(algorithm: Algorithm, members: std::ops::Range<u8>) -> Snapshot {
    let members = members.map(|n| (n, Health::Healthy, 8000)).collect();
    snapshot(&BTreeMap::from([(
        0,
        Shape { ipv4: vec![0], ipv6: false, ports: vec![80], members, algorithm, unsaid: false },
    )]))
}
