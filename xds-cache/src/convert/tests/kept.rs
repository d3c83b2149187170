//! What the model has a place for arrives there. Messages are written out in full: a field that is added is missed here.

use std::collections::BTreeMap;

use bytes::Bytes;
use evermesh_proto::{security, workload as wire};
use insta::assert_json_snapshot;

use evermesh_model::Passes;

use super::*;
use crate::samples::{self, of_policy, of_service, of_workload};

fn v4(last: u8) -> Bytes {
    Bytes::copy_from_slice(&[10, 0, 0, last])
}

fn v6(last: u8) -> Bytes {
    let mut bytes = [0; 16];
    (bytes[0], bytes[15]) = (0xfd, last);
    Bytes::copy_from_slice(&bytes)
}

fn on(network: &str, address: Bytes, length: Option<u32>) -> wire::NetworkAddress {
    wire::NetworkAddress { network: network.into(), address, length }
}

fn extension() -> wire::Extension {
    wire::Extension { name: "some".into(), config: None }
}

fn whole_service() -> wire::Service {
    wire::Service {
        name: "web".into(),
        namespace: "shop".into(),
        hostname: "web.shop.svc.cluster.local".into(),
        addresses: vec![on("here", v4(1), None), on("", v6(1), Some(128)), on("there", v4(2), Some(32))],
        ports: vec![
            wire::Port { service_port: 80, target_port: 8080, app_protocol: wire::AppProtocol::Http2.into() },
            wire::Port { service_port: 53, target_port: 0, app_protocol: 99 },
        ],
        subject_alt_names: vec!["spiffe://cluster.local/ns/shop/sa/web".into()],
        waypoint: None,
        load_balancing: Some(wire::LoadBalancing {
            routing_preference: (1..=6).collect(),
            mode: wire::load_balancing::Mode::Failover.into(),
            health_policy: wire::load_balancing::HealthPolicy::AllowAll.into(),
        }),
        ip_families: wire::IpFamilies::Dual.into(),
        extensions: vec![extension()],
        canonical: true,
        ingress_use_waypoint: true,
        weighted_waypoints: vec![],
        visibility: wire::service::Visibility::Public.into(),
    }
}

fn whole_workload() -> wire::Workload {
    let port = |service_port, target_port| wire::Port { service_port, target_port, app_protocol: 99 };
    let services = [
        ("shop/web.shop.svc.cluster.local", vec![port(80, 8080), port(81, 9090)]),
        ("shop/names.shop.svc.cluster.local", vec![]),
    ];
    wire::Workload {
        uid: "Kubernetes//Pod/shop/web-1".into(),
        name: "web-1".into(),
        namespace: "shop".into(),
        addresses: vec![v4(9), v6(9)],
        hostname: String::new(),
        network: "there".into(),
        tunnel_protocol: wire::TunnelProtocol::None.into(),
        trust_domain: "cluster.local".into(),
        service_account: "web".into(),
        waypoint: None,
        network_gateway: samples::waypoint(),
        node: "node-1".into(),
        canonical_name: "web".into(),
        canonical_revision: "v2".into(),
        workload_type: wire::WorkloadType::Pod.into(),
        workload_name: "web".into(),
        native_tunnel: true,
        application_tunnel: None,
        services: services.map(|(name, ports)| (name.into(), wire::PortList { ports })).into(),
        authorization_policies: vec![],
        status: wire::WorkloadStatus::Unhealthy.into(),
        cluster_id: "east".into(),
        locality: Some(wire::Locality { region: "r".into(), zone: "z".into(), subzone: "s".into() }),
        network_mode: wire::NetworkMode::HostNetwork.into(),
        extensions: vec![extension()],
        capacity: Some(7),
    }
}

fn whole_match() -> security::Match {
    use security::string_match::MatchType::{Exact, Prefix, Presence, Suffix};
    let texts = |all: Vec<_>| {
        all.into_iter().map(|one| security::StringMatch { match_type: Some(one) }).collect::<Vec<_>>()
    };
    let account =
        |name: &str| security::ServiceAccountMatch { namespace: "shop".into(), service_account: name.into() };
    let range = |address, length| vec![security::Address { address, length }];
    security::Match {
        namespaces: texts(vec![Exact("shop".into()), Prefix("back-".into())]),
        not_namespaces: texts(vec![Suffix("-test".into()), Presence(())]),
        service_accounts: vec![account("web")],
        not_service_accounts: vec![account("api")],
        principals: texts(vec![Exact("cluster.local/ns/shop/sa/web".into())]),
        not_principals: texts(vec![Prefix("old".into())]),
        source_ips: range(v4(0), 8),
        not_source_ips: range(v4(1), 32),
        destination_ips: range(v6(0), 64),
        not_destination_ips: range(v6(1), 128),
        destination_ports: vec![80, 443],
        not_destination_ports: vec![8080],
        extensions: vec![extension()],
    }
}

fn whole_policy() -> security::Authorization {
    let rules = |matches| security::Rules { matches };
    security::Authorization {
        name: "only-shop".into(),
        namespace: "shop".into(),
        scope: security::Scope::WorkloadSelector.into(),
        action: security::Action::Deny.into(),
        groups: vec![
            security::Group {
                rules: vec![rules(vec![whole_match(), security::Match::default()]), rules(vec![])],
            },
            security::Group { rules: vec![] },
        ],
        dry_run: true,
        extensions: vec![extension()],
    }
}

#[test]
fn a_service_is_kept() {
    assert_json_snapshot!(service(&of_network("here"), &of_service(whole_service())));
}

#[test]
fn a_workload_is_kept() {
    let (workload, hostname) = workload(&of_network("here"), &of_workload(whole_workload()));
    assert_json_snapshot!(workload);
    assert_eq!(hostname, None);
}

#[test]
fn a_policy_is_kept() {
    assert_json_snapshot!(policy(&of_policy(whole_policy())));
}

#[test]
fn whatever_is_left_out_has_a_meaning() {
    let here = Conversion::default();
    let bare = wire::Service { namespace: "shop".into(), hostname: "web".into(), ..wire::Service::default() };
    let alone = wire::Workload { uid: "w1".into(), ..wire::Workload::default() };
    let anyone = security::Authorization { name: "p1".into(), ..security::Authorization::default() };
    assert_json_snapshot!((
        service(&here, &of_service(bare)),
        workload(&here, &of_workload(alone)),
        policy(&of_policy(anyone)),
    ));
}

#[test]
fn addresses_of_this_nodes_network_are_of_no_network() {
    let networks = |conversion: &Conversion| {
        let service = service(conversion, &of_service(whole_service()));
        let (workload, _) = workload(conversion, &of_workload(whole_workload()));
        (service.vips.into_iter().map(|vip| vip.network).collect::<Vec<_>>(), workload.network)
    };
    let of = |vips: [&str; 3], workload: &str| (vips.map(SmolStr::from).to_vec(), SmolStr::from(workload));
    assert_eq!(networks(&of_network("here")), of(["", "", "there"], "there"));
    assert_eq!(networks(&of_network("there")), of(["here", "", ""], ""));
    assert_eq!(networks(&Conversion::default()), of(["here", "", "there"], "there"));
}

#[test]
fn a_virtual_ip_that_is_given_twice_is_one() {
    let addresses = vec![on("here", v4(1), None), on("", v4(1), Some(32)), on("there", v4(1), None)];
    let service = service(&of_network("here"), &of_service(wire::Service { addresses, ..whole_service() }));
    let vips: Vec<_> = service.vips.iter().map(ToString::to_string).collect();
    assert_eq!(vips, ["10.0.0.1", "there/10.0.0.1"]);
}

#[test]
fn a_capacity_of_none_is_one_and_of_zero_is_zero() {
    let capacity = |capacity| {
        let resource = of_workload(wire::Workload { capacity, ..whole_workload() });
        workload(&Conversion::default(), &resource).0.capacity
    };
    assert_eq!([None, Some(0), Some(1), Some(u32::MAX)].map(capacity), [1, 0, 1, u32::MAX]);
}

#[test]
fn a_hostname_counts_where_there_are_no_addresses() {
    let hostname = |addresses: Vec<Bytes>, hostname: &str| {
        let resource =
            of_workload(wire::Workload { addresses, hostname: hostname.into(), ..whole_workload() });
        workload(&Conversion::default(), &resource).1
    };
    assert_eq!(hostname(vec![], "db.example.com").as_deref(), Some("db.example.com"));
    assert_eq!(hostname(vec![v4(1)], "db.example.com"), None);
    assert_eq!(hostname(vec![], ""), None);
}

/// Kubernetes leaves the port of a named target port to each pod.
#[test]
fn a_named_target_port_is_each_workloads_own() {
    let port = |target_port| wire::Port { service_port: 80, target_port, ..wire::Port::default() };
    let named = service(
        &Conversion::default(),
        &of_service(wire::Service { ports: vec![port(0)], ..whole_service() }),
    );
    let ports = wire::PortList { ports: vec![port(8081)] };
    let services = BTreeMap::from([("shop/web".to_owned(), ports)]);
    let (own, _) =
        workload(&Conversion::default(), &of_workload(wire::Workload { services, ..whole_workload() }));
    assert_eq!((named.ports[&80].target_port, named.ports[&80].passes), (0, Passes::Untargeted));
    assert_eq!(own.services.iter().next().unwrap().1[&80], 8081);
}

/// Kubernetes has one port of a number for each transport, and Istio says neither which is which, nor what a name of UDP stands
/// for.
#[test]
fn a_port_of_two_transports_is_led_where_both_lead_to_one_target() {
    let port = |target_port| wire::Port { service_port: 53, target_port, ..wire::Port::default() };
    let said = |targets: &[u32]| {
        let ports = targets.iter().map(|target| port(*target)).collect();
        service(&Conversion::default(), &of_service(wire::Service { ports, ..whole_service() })).ports
    };
    for (targets, passes) in [
        (&[5353, 5353][..], Passes::Never),
        (&[5353, 5354], Passes::Always),
        (&[5353, 0], Passes::Always),
        (&[0, 5353], Passes::Always),
        (&[0, 0], Passes::Always),
        (&[5353, 5354, 5353], Passes::Always),
    ] {
        assert_eq!(said(targets)[&53].passes, passes, "{targets:?}");
    }
}

/// Istio 1.30 and 1.31 say it of a pod behind such a service, where the name comes first.
#[test]
fn a_target_port_of_0_names_none_and_spoils_nothing() {
    let port = |target_port| wire::Port { service_port: 53, target_port, ..wire::Port::default() };
    let services =
        BTreeMap::from([("shop/dns".to_owned(), wire::PortList { ports: vec![port(0), port(5353)] })]);
    let (own, _) =
        workload(&Conversion::default(), &of_workload(wire::Workload { services, ..whole_workload() }));
    assert_eq!(own.services.iter().next().unwrap().1, &BTreeMap::from([(53, 5353)]));
}

/// Istiod names no port of a workload where the service has a name for it that is one of UDP.
#[test]
fn a_workload_without_ports_stands_behind_its_service() {
    let services = BTreeMap::from([("shop/names".to_owned(), wire::PortList::default())]);
    let (workload, _) =
        workload(&Conversion::default(), &of_workload(wire::Workload { services, ..whole_workload() }));
    let memberships: Vec<_> =
        workload.services.iter().map(|(key, ports)| (key.to_string(), ports.len())).collect();
    assert_eq!(memberships, [("shop/names".to_owned(), 0)]);
}

#[test]
fn numbers_that_decide_nothing_about_traffic_may_be_unknown() {
    let ports = vec![wire::Port { service_port: 80, target_port: 81, app_protocol: 99 }];
    let service_ = wire::Service { ip_families: 99, visibility: 99, ports, ..whole_service() };
    let workload_ =
        wire::Workload { workload_type: 99, network_mode: 99, tunnel_protocol: 99, ..whole_workload() };
    for resource in [of_service(service_), of_workload(workload_)] {
        let understood = understand(&Conversion::default(), Kind::Address, &resource).unwrap();
        assert_eq!(understood.demands, Demands::default());
    }
}
