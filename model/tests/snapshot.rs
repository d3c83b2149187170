//! What a snapshot refuses, and what it knows.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{collections::BTreeMap, net::IpAddr};

use evermesh_model::{
    Balancing, InvalidSnapshot, Policy, PolicyAction, PolicyScope, Port, Protocol, Service, ServiceKey,
    Snapshot, VirtualIp, Workload, WorkloadUid,
};

fn key(host: &str) -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: host.into() }
}

fn service(host: &str, vip: &str) -> Service {
    let (network, address) = vip.split_once('/').unwrap_or(("", vip));
    Service {
        name: host.into(),
        key: key(host),
        vips: vec![VirtualIp { network: network.into(), address: address.parse().unwrap() }],
        ports: BTreeMap::from([(80, Port::new(8080, vec![Protocol::Tcp]))]),
        ..Service::default()
    }
}

fn workload(uid: &str, address: &str) -> Workload {
    Workload {
        uid: WorkloadUid::new(uid),
        name: uid.into(),
        namespace: "demo".into(),
        addresses: vec![address.parse().unwrap()].into(),
        services: [(key("web"), BTreeMap::new())].into(),
        ..Workload::default()
    }
}

fn policy(name: &str, action: PolicyAction) -> Policy {
    let (name, namespace) = (name.into(), "demo".into());
    Policy {
        name,
        namespace,
        scope: PolicyScope::Namespace,
        action,
        dry_run: false,
        rules: serde_json::json!([]),
    }
}

#[track_caller]
fn refused(services: Vec<Service>, workloads: Vec<Workload>, policies: Vec<Policy>, message: &str) {
    let error: InvalidSnapshot = Snapshot::new(services, workloads, policies).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn one_service_name_twice() {
    let other = Service { name: "other".into(), ..service("web", "10.96.0.11") };
    refused(
        vec![service("web", "10.96.0.10"), other],
        vec![],
        vec![],
        "service `demo/web` is defined twice, as `web` and as `other`: remove one or rename its host",
    );
}

#[test]
fn one_virtual_ip_of_a_network_claimed_twice() {
    refused(
        vec![service("dns", "east/10.96.0.10"), service("web", "east/10.96.0.10")],
        vec![],
        vec![],
        "virtual IP `east/10.96.0.10` is claimed by service `demo/dns` and by service `demo/web`: give it to one",
    );
}

#[test]
fn one_virtual_ip_on_two_networks_is_two() {
    let services = [service("dns", "east/10.96.0.10"), service("web", "10.96.0.10")];
    assert_eq!(Snapshot::new(services, [], []).unwrap().services().count(), 2);
}

#[test]
fn an_unspecified_virtual_ip() {
    refused(
        vec![service("web", "0.0.0.0")],
        vec![],
        vec![],
        "service `demo/web`: virtual IP `0.0.0.0` cannot be used: it is the unspecified address, which names no host",
    );
}

#[test]
fn a_loopback_virtual_ip_is_fine() {
    assert!(Snapshot::new([service("web", "127.10.0.1")], [], []).is_ok());
}

#[test]
fn port_zero_of_a_service() {
    let mut web = service("web", "10.96.0.10");
    web.ports.insert(0, Port::new(8080, vec![Protocol::Tcp]));
    refused(vec![web], vec![], vec![], "service `demo/web`: port 0: ports are 1 to 65535");
}

#[test]
fn a_port_without_protocols() {
    let mut web = service("web", "10.96.0.10");
    web.ports.insert(81, Port::new(8080, vec![]));
    refused(
        vec![web],
        vec![],
        vec![],
        "service `demo/web`: port 81 is offered on no protocol: name TCP, UDP or both",
    );
}

fn split(shares: &[(&str, u32)]) -> Service {
    let split = shares.iter().map(|(revision, share)| ((*revision).into(), *share)).collect();
    Service { balancing: Balancing { split, ..Balancing::default() }, ..service("web", "10.96.0.10") }
}

#[test]
fn a_split_that_gives_nothing() {
    refused(
        vec![split(&[("v1", 0), ("v2", 0)])],
        vec![],
        vec![],
        "service `demo/web`: its split gives nothing to any revision",
    );
}

#[test]
fn a_split_that_names_a_revision_twice() {
    refused(
        vec![split(&[("v1", 90), ("v2", 5), ("v1", 5)])],
        vec![],
        vec![],
        "service `demo/web`: its split names the revision `v1` twice",
    );
}

#[test]
fn a_split_may_be_empty_and_may_hold_back_a_revision() {
    assert!(Snapshot::new([split(&[])], [], []).is_ok());
    assert!(Snapshot::new([split(&[("v1", 1), ("v2", 0)])], [], []).is_ok());
}

#[test]
fn a_namespace_with_a_slash() {
    let odd =
        Service { key: ServiceKey { namespace: "a/b".into(), hostname: "c".into() }, ..service("c", "::1") };
    refused(
        vec![odd],
        vec![],
        vec![],
        "service `a/b/c`: namespace and hostname must not be empty, nor the namespace contain `/`",
    );
}

#[test]
fn one_uid_twice() {
    let other = Workload { name: "other".into(), ..workload("w1", "10.0.0.2") };
    refused(
        vec![],
        vec![workload("w1", "10.0.0.1"), other],
        vec![],
        "workload uid `w1` is given twice, to `demo/w1` and to `demo/other`: give each workload its own",
    );
}

#[test]
fn an_empty_uid() {
    refused(
        vec![],
        vec![Workload { name: "w".into(), ..workload("", "10.0.0.1") }],
        vec![],
        "workload `demo/w` has an empty uid: give it one that is unique in the mesh",
    );
}

#[test]
fn a_multicast_workload_address() {
    refused(
        vec![],
        vec![workload("w1", "224.0.0.1")],
        vec![],
        "workload `w1`: address `224.0.0.1` cannot be used: it is a multicast address, which cannot be balanced",
    );
}

#[test]
fn target_port_zero_of_a_workload() {
    let services = [(key("web"), BTreeMap::from([(80, 0)]))].into();
    let odd = Workload { services, ..workload("w1", "10.0.0.1") };
    refused(
        vec![],
        vec![odd],
        vec![],
        "workload `w1`, service `demo/web`: port 80 to target port 0: ports are 1 to 65535",
    );
}

#[test]
fn one_policy_twice() {
    refused(
        vec![],
        vec![],
        vec![policy("p", PolicyAction::Allow), policy("p", PolicyAction::Deny)],
        "policy `demo/p` is defined twice, to allow and to deny: remove or rename one",
    );
}

#[test]
fn members_come_by_uid_whatever_the_order_of_the_source() {
    let workloads = [workload("b", "10.0.0.2"), workload("c", "10.0.0.3"), workload("a", "10.0.0.1")];
    let snapshot = Snapshot::new([service("web", "10.96.0.10")], workloads, []).unwrap();
    let addresses: Vec<IpAddr> = snapshot.members(&key("web")).map(|w| w.addresses[0]).collect();
    assert_eq!(addresses, [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]].map(IpAddr::from));
    assert_eq!(snapshot.members(&key("dns")).count(), 0);
}
