//! Every way in which a resource is refused, and what is said of it.

use std::{collections::BTreeMap, fmt::Write as _};

use bytes::Bytes;
use evermesh_proto::{
    security::{self, Authorization},
    workload as wire,
};
use insta::assert_snapshot;

use super::*;
use crate::samples::{self, garbage, of_policy, of_service, of_workload};

/// What is said of each: one line each.
fn reasons(kind: Kind, cases: impl IntoIterator<Item = (&'static str, Resource)>) -> String {
    let mut lines = String::new();
    for (what, resource) in cases {
        let reason = understand(&Conversion::default(), kind, &resource).unwrap_err();
        writeln!(lines, "{what}: {reason}").unwrap();
    }
    lines
}

fn renamed(name: &str, resource: Resource) -> Resource {
    Resource { name: name.into(), ..resource }
}

#[test]
fn what_is_no_resource_of_its_kind_and_name() {
    let service = || samples::service("web", &[[10, 96, 0, 1]]);
    let workload = || samples::workload("w1", [10, 0, 0, 1], &[]);
    let nothing = Resource {
        resource: Some(Packed { type_url: Kind::Address.type_url().into(), value: Bytes::new() }),
        ..garbage(Kind::Address, "nothing")
    };
    let cluster = Resource {
        resource: Some(Packed { type_url: "type.googleapis.com/Cluster".into(), value: Bytes::new() }),
        ..garbage(Kind::Address, "cluster")
    };
    let said = reasons(
        Kind::Address,
        [
            ("no message", garbage(Kind::Address, "w1")),
            ("an empty message", nothing),
            ("another type", cluster),
            ("another kind", samples::policy("p1")),
            ("another service's name", renamed("demo/api", of_service(service()))),
            ("another workload's name", renamed("w2", of_workload(workload()))),
        ],
    );
    assert_snapshot!(said);
    assert_snapshot!(reasons(Kind::Authorization, [
        ("another policy's name", renamed("demo/p2", samples::policy("p1"))),
        ("no policy", of_service(service())),
    ]), @r"
    another policy's name: says of itself that it is `demo/p1`
    no policy: is a `type.googleapis.com/istio.workload.Address`, and Authorization was subscribed to
    ");
}

#[test]
fn services() {
    let case = |change: fn(&mut wire::Service)| {
        let mut service = samples::service("web", &[[10, 96, 0, 1]]);
        change(&mut service);
        of_service(service)
    };
    let balanced = |load_balancing: wire::LoadBalancing| {
        let load_balancing = Some(load_balancing);
        of_service(wire::Service { load_balancing, ..samples::service("web", &[]) })
    };
    let none = wire::LoadBalancing::default;
    let said = reasons(
        Kind::Address,
        [
            ("no namespace", case(|it| it.namespace.clear())),
            ("a slash in the namespace", case(|it| it.namespace = "a/b".into())),
            ("no hostname", case(|it| it.hostname.clear())),
            ("an address of 3 bytes", case(|it| it.addresses[0].address = Bytes::from_static(&[10, 0, 0]))),
            ("no address", case(|it| it.addresses[0].address.clear())),
            ("0.0.0.0", case(|it| it.addresses[0].address = Bytes::from_static(&[0; 4]))),
            ("multicast", case(|it| it.addresses[0].address = Bytes::from_static(&[224, 0, 0, 1]))),
            ("a range of 33 bits", case(|it| it.addresses[0].length = Some(33))),
            ("port 0", case(|it| it.ports[0].service_port = 0)),
            ("port 65536", case(|it| it.ports[0].service_port = 65536)),
            ("target port 65536", case(|it| it.ports[0].target_port = 65536)),
            ("an unknown mode", balanced(wire::LoadBalancing { mode: 9, ..none() })),
            ("an unknown health policy", balanced(wire::LoadBalancing { health_policy: 9, ..none() })),
            ("an unknown scope", balanced(wire::LoadBalancing { routing_preference: vec![1, 9], ..none() })),
            ("no scope", balanced(wire::LoadBalancing { routing_preference: vec![0], ..none() })),
        ],
    );
    assert_snapshot!(said);
}

#[test]
fn workloads() {
    let case = |change: fn(&mut wire::Workload)| {
        let mut workload = samples::workload("w1", [10, 0, 0, 1], &["web"]);
        change(&mut workload);
        of_workload(workload)
    };
    fn behind(workload: &mut wire::Workload, service: &str, service_port: u32, target_port: u32) {
        let ports = vec![wire::Port { service_port, target_port, ..wire::Port::default() }];
        workload.services = BTreeMap::from([(service.to_owned(), wire::PortList { ports })]);
    }
    let mapped = |it: &mut wire::Workload| {
        it.addresses.push(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]));
    };
    let said = reasons(
        Kind::Address,
        [
            ("no uid", case(|it| it.uid.clear())),
            ("an address of 5 bytes", case(|it| it.addresses[0] = Bytes::from_static(&[10, 0, 0, 1, 2]))),
            ("broadcast", case(|it| it.addresses[0] = Bytes::from_static(&[255; 4]))),
            ("an IPv4 address in IPv6 spelling", case(mapped)),
            ("an unknown status", case(|it| it.status = 2)),
            ("a service without a namespace", case(|it| behind(it, "web", 80, 8080))),
            ("a service without a hostname", case(|it| behind(it, "demo/", 80, 8080))),
            ("port 0 of a service", case(|it| behind(it, "demo/web", 0, 8080))),
            ("port 65536 of a service", case(|it| behind(it, "demo/web", 65536, 8080))),
            ("target port 65536", case(|it| behind(it, "demo/web", 80, 65536))),
        ],
    );
    assert_snapshot!(said);
}

#[test]
fn policies() {
    let plain = || Authorization { name: "p1".into(), namespace: "demo".into(), ..Authorization::default() };
    let matching = |one: security::Match| {
        let rules = vec![security::Rules { matches: vec![one] }];
        of_policy(Authorization { groups: vec![security::Group { rules }], ..plain() })
    };
    let none = security::Match::default;
    let range = |bytes: &'static [u8], length| {
        let source_ips = vec![security::Address { address: Bytes::from_static(bytes), length }];
        matching(security::Match { source_ips, ..none() })
    };
    let texts = vec![security::StringMatch { match_type: None }];
    let said = reasons(
        Kind::Authorization,
        [
            ("no name", of_policy(Authorization { name: String::new(), ..plain() })),
            ("an unknown scope", of_policy(Authorization { scope: 3, ..plain() })),
            ("an unknown action", of_policy(Authorization { action: 2, ..plain() })),
            ("a match of an unknown form", matching(security::Match { principals: texts, ..none() })),
            ("an address of 3 bytes", range(&[10, 0, 0], 8)),
            ("a range of 33 bits", range(&[10, 0, 0, 0], 33)),
            ("a range of 129 bits", range(&[0; 16], 129)),
        ],
    );
    assert_snapshot!(said);
}
