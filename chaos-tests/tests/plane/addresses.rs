//! Endpoints and services of every shape: whom their clients meet.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use evermesh_loader::DataPlane;
use evermesh_model::{
    Balancing, Health, Mode, Port, Protocol, Scope, Service, Snapshot, VirtualIp, Workload, WorkloadUid,
};

use crate::{
    bench::{Bench, NODE, PORT, TARGET, VIP4, VIP6, inside, key},
    listeners::{Listeners, Met, ask, make_local},
    picks::{NETWORKS, service, workload},
};

const OTHER_TARGET: u16 = 8081;
const ANOTHER_VIP: &str = "10.96.0.77";
/// So many connects that it would be a wonder if one of two endpoints were never met.
const MANY: usize = 60;

fn ready(service: Service, workloads: Vec<Workload>) -> (Bench, DataPlane) {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let mesh = Snapshot::new([service], workloads, []).unwrap();
    let (plane, _) = bench.start(Some(&mesh));
    bench.enrol(&bench.client);
    (bench, plane)
}

/// All that is met there.
fn met(bench: &Bench, ip: &str, port: u16) -> BTreeSet<Met> {
    let target = SocketAddr::new(ip.parse().unwrap(), port);
    inside(bench, &bench.client, || {
        let _listeners = Listeners::new(&[PORT, TARGET, OTHER_TARGET]);
        (0..MANY).map(|_| ask(target)).collect()
    })
}

fn exactly<const N: usize>(places: [(&str, u16); N]) -> BTreeSet<Met> {
    places.map(|(ip, port)| Some((ip.parse().unwrap(), port))).into()
}

fn with_port(workload: Workload, target_port: u16) -> Workload {
    Workload { services: [(key(), BTreeMap::from([(PORT, target_port)]))].into(), ..workload }
}

/// On the network of the host workloads share an address.
#[test]
fn two_workloads_of_one_address_are_told_by_their_ports() {
    let on_host = |name: &str, port| with_port(Workload { uid: WorkloadUid::new(name), ..workload(1) }, port);
    let (bench, _plane) =
        ready(service(Balancing::default()), vec![on_host("a", TARGET), on_host("b", OTHER_TARGET)]);
    assert_eq!(met(&bench, VIP4, PORT), exactly([("10.250.0.1", TARGET), ("10.250.0.1", OTHER_TARGET)]));
    assert_eq!(met(&bench, VIP6, PORT), exactly([("fd00:250::1", TARGET), ("fd00:250::1", OTHER_TARGET)]));
}

#[test]
fn a_named_port_leads_to_those_that_name_it() {
    let port = Port::new(0, vec![Protocol::Tcp]);
    let named = Service { ports: [(PORT, port)].into(), ..service(Balancing::default()) };
    let workloads = vec![with_port(workload(1), TARGET), with_port(workload(2), OTHER_TARGET), workload(3)];
    let (bench, _plane) = ready(named, workloads);
    assert_eq!(met(&bench, VIP4, PORT), exactly([("10.250.0.1", TARGET), ("10.250.0.2", OTHER_TARGET)]));
}

#[test]
fn workloads_of_a_headless_service_are_met_at_their_own_addresses() {
    let headless = Service { vips: Vec::new(), ..service(Balancing::default()) };
    let (bench, _plane) = ready(headless, vec![workload(1), workload(2)]);
    for (ip, port) in [("10.250.0.1", TARGET), ("fd00:250::2", PORT), ("10.250.0.9", TARGET)] {
        let before = bench.counted("elsewhere");
        assert_eq!(met(&bench, ip, port), exactly([(ip, port)]));
        assert!(bench.counted("elsewhere") >= before + MANY as u64);
    }
    assert_eq!(bench.counted("translated"), 0);
}

#[test]
fn workloads_behind_a_virtual_ip_are_met_at_their_own_addresses_too() {
    let (bench, _plane) = ready(service(Balancing::default()), vec![workload(1), workload(2)]);
    assert_eq!(met(&bench, "10.250.0.2", PORT), exactly([("10.250.0.2", PORT)]));
    assert_eq!(met(&bench, "fd00:250::1", TARGET), exactly([("fd00:250::1", TARGET)]));
}

#[test]
fn every_virtual_ip_leads_to_the_same_workloads() {
    let mut service = service(Balancing::default());
    service.vips.push(VirtualIp { network: String::new().into(), address: ANOTHER_VIP.parse().unwrap() });
    let (bench, _plane) = ready(service, vec![workload(1), workload(2)]);
    for vip in [VIP4, ANOTHER_VIP] {
        assert_eq!(met(&bench, vip, PORT), exactly([("10.250.0.1", TARGET), ("10.250.0.2", TARGET)]));
        assert_eq!(met(&bench, vip, TARGET), [None].into());
    }
}

#[test]
fn a_node_local_service_leads_to_the_workload_of_this_node_or_nowhere() {
    let local = Balancing { mode: Mode::Strict, scopes: vec![Scope::Node], ..Balancing::default() };
    let on = |n, node: &str| Workload { node: node.into(), ..workload(n) };
    let (bench, mut plane) = ready(service(local.clone()), vec![on(1, NODE), on(2, "node-2")]);
    assert_eq!(met(&bench, VIP4, PORT), exactly([("10.250.0.1", TARGET)]));
    let ill = Workload { health: Health::Unhealthy, ..on(1, NODE) };
    plane.apply(&Snapshot::new([service(local)], [ill, on(2, "node-2")], []).unwrap()).unwrap();
    assert_eq!(met(&bench, VIP4, PORT), [None].into());
}
