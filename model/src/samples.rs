//! Small services, workloads and whole random snapshots for the tests of this crate.

use std::{collections::BTreeMap, net::IpAddr};

use proptest::{
    collection,
    prelude::*,
    sample::{select, subsequence},
};

use smol_str::SmolStr;

use crate::{
    Algorithm, Balancing, Health, HealthPolicy, Locality, Mode, Policy, PolicyAction, PolicyScope, Port,
    Protocol, Scope, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid,
};

const HOSTS: [&str; 4] = ["api", "dns", "mail", "web"];

/// In namespace `demo`.
pub(crate) fn key(host: &str) -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: host.into() }
}

/// With port 80 to 8080 over TCP.
pub(crate) fn service(host: &str, vips: &[&str]) -> Service {
    let vip = |text: &&str| VirtualIp { network: SmolStr::default(), address: text.parse().unwrap() };
    Service {
        name: host.into(),
        key: key(host),
        vips: vips.iter().map(vip).collect(),
        ports: BTreeMap::from([(80, Port::new(8080, vec![Protocol::Tcp]))]),
        ..Service::default()
    }
}

/// With one address, behind these services.
pub(crate) fn workload(uid: &str, services: &[&str]) -> Workload {
    Workload {
        uid: WorkloadUid::new(uid),
        name: uid.into(),
        namespace: "demo".into(),
        addresses: [IpAddr::from([10, 0, 0, 1])].into_iter().collect(),
        node: "node-1".into(),
        services: services.iter().map(|host| (key(host), BTreeMap::new())).collect(),
        ..Workload::default()
    }
}

/// Denies what the rules say.
pub(crate) fn policy(name: &str, rules: serde_json::Value) -> Policy {
    Policy {
        name: name.into(),
        namespace: "demo".into(),
        scope: PolicyScope::Namespace,
        action: PolicyAction::Deny,
        dry_run: false,
        rules,
    }
}

/// Up to four services and eight workloads, of so few distinct values that two of them are often partly equal.
pub(crate) fn snapshot() -> impl Strategy<Value = Snapshot> {
    (services(), workloads(), any::<bool>()).prop_map(|(services, workloads, denies)| {
        let rules = serde_json::json!([[[{ "notDestinationPorts": [9999] }]]]);
        let policies = denies.then(|| policy("deny", rules));
        Snapshot::new(services, workloads, policies).unwrap()
    })
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let targets = collection::vec((8080..8082u16, balancing()), 4);
    (subsequence(HOSTS.to_vec(), 0..=4), targets).prop_map(|(hosts, targets)| {
        let with_target = |(host, (target_port, balancing)): (&str, (u16, Balancing))| {
            let number = HOSTS.iter().position(|known| *known == host).unwrap();
            let mut service = service(host, &[&format!("10.96.0.{number}")]);
            service.ports.entry(80).and_modify(|port| port.target_port = target_port);
            Service { balancing, ..service }
        };
        hosts.into_iter().zip(targets).map(with_target).collect()
    })
}

fn balancing() -> impl Strategy<Value = Balancing> {
    let algorithm = select(vec![Algorithm::Random, Algorithm::RoundRobin, Algorithm::Maglev]);
    let mode = select(vec![Mode::Standard, Mode::Strict, Mode::Failover, Mode::Passthrough]);
    let scopes = subsequence(vec![Scope::Region, Scope::Zone, Scope::Node], 0..=3);
    let health = select(vec![HealthPolicy::OnlyHealthy, HealthPolicy::PreferHealthy, HealthPolicy::AllowAll]);
    let split = subsequence(vec![("v1".into(), 90), ("v2".into(), 10)], 0..=2);
    (algorithm, mode, scopes, health, split).prop_map(|(algorithm, mode, scopes, health_policy, split)| {
        Balancing { algorithm, mode, scopes, health_policy, split }
    })
}

fn workloads() -> impl Strategy<Value = Vec<Workload>> {
    let target = select(vec![None, Some(9090)]);
    let one = (subsequence(HOSTS.to_vec(), 0..=2), target, traits());
    collection::btree_map(0..8u8, one, 0..8).prop_map(|all| {
        let named = |(number, (hosts, target, traits)): (u8, (Vec<&str>, Option<u16>, Traits))| {
            let (health, locality, capacity, revision) = traits;
            let ports: BTreeMap<_, _> = target.map(|to| (80, to)).into_iter().collect();
            let services = hosts.iter().map(|host| (key(host), ports.clone())).collect();
            let named = workload(&format!("w{number}"), &[]);
            Workload { services, health, locality: locality.into(), capacity, revision, ..named }
        };
        all.into_iter().map(named).collect()
    })
}

/// What balancing goes by: health, locality, capacity and revision.
type Traits = (Health, Locality, u32, SmolStr);

fn traits() -> impl Strategy<Value = Traits> {
    let health = select(vec![Health::Healthy, Health::Unhealthy, Health::Draining]);
    let in_zone = |zone: &str| Locality { zone: zone.into(), ..Locality::default() };
    let locality = select(vec!["", "z1", "z2"]).prop_map(in_zone);
    (health, locality, 0..2u32, select(vec!["", "v1"]).prop_map(SmolStr::from))
}
