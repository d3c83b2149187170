//! Small services, workloads and whole random snapshots for the tests of this crate.

use std::{collections::BTreeMap, net::IpAddr};

use proptest::{collection, prelude::*, sample::subsequence};

use crate::{
    Health, Policy, PolicyAction, PolicyScope, Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp,
    Workload, WorkloadUid,
};

const HOSTS: [&str; 4] = ["api", "dns", "mail", "web"];

/// In namespace `demo`.
pub(crate) fn key(host: &str) -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: host.into() }
}

/// With port 80 to 8080 over TCP.
pub(crate) fn service(host: &str, vips: &[&str]) -> Service {
    let vip = |text: &&str| VirtualIp { network: String::new(), address: text.parse().unwrap() };
    Service {
        name: host.into(),
        key: key(host),
        vips: vips.iter().map(vip).collect(),
        ports: BTreeMap::from([(80, Port { target_port: 8080, protocols: vec![Protocol::Tcp] })]),
    }
}

/// With one address, behind these services.
pub(crate) fn workload(uid: &str, services: &[&str]) -> Workload {
    Workload {
        uid: WorkloadUid(uid.into()),
        name: uid.into(),
        namespace: "demo".into(),
        addresses: vec![IpAddr::from([10, 0, 0, 1])],
        node: "node-1".into(),
        network: String::new(),
        health: Health::Healthy,
        services: services.iter().map(|host| (key(host), BTreeMap::new())).collect(),
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
    (subsequence(HOSTS.to_vec(), 0..=4), collection::vec(8080..8082u16, 4)).prop_map(|(hosts, targets)| {
        let with_target = |(host, target_port): (&str, u16)| {
            let number = HOSTS.iter().position(|known| *known == host).unwrap();
            let mut service = service(host, &[&format!("10.96.0.{number}")]);
            service.ports.entry(80).and_modify(|port| port.target_port = target_port);
            service
        };
        hosts.into_iter().zip(targets).map(with_target).collect()
    })
}

fn workloads() -> impl Strategy<Value = Vec<Workload>> {
    let one = (any::<bool>(), subsequence(HOSTS.to_vec(), 0..=2), prop_oneof![Just(None), Just(Some(9090))]);
    collection::btree_map(0..8u8, one, 0..8).prop_map(|all| {
        let named = |(number, (ill, hosts, target)): (u8, (bool, Vec<&str>, Option<u16>))| {
            let mut workload = workload(&format!("w{number}"), &hosts);
            workload.health = if ill { Health::Unhealthy } else { Health::Healthy };
            workload.services.values_mut().for_each(|ports| ports.extend(target.map(|to| (80, to))));
            workload
        };
        all.into_iter().map(named).collect()
    })
}
