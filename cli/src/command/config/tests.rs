//! Tables in memory, filled as an agent fills them, and then changed by hand.

use evermesh_abi::{FrontendKey, PROTOCOL_TCP};
use evermesh_loader::{
    TableSizes,
    tables::{Change, MemoryTables, State, Store, TableRead as _, plan},
};
use evermesh_model::{
    Algorithm, Balancing, Health, Locality, Mode, Place, Port, Protocol, Scope, Service, ServiceKey,
    Snapshot, VirtualIp, Workload, WorkloadUid,
};

use super::{look::Look, source::Source, view::DiffView};
use crate::names::Names;

const SIZES: TableSizes = TableSizes { services: 64, endpoints: 4096, ..TableSizes::DEFAULT };

fn key(host: &str) -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: host.into() }
}

fn service(host: &str, last: u8, balancing: Balancing) -> Service {
    let port = Port::new(8080, vec![Protocol::Tcp, Protocol::Udp]);
    let vip = |address| VirtualIp { network: "".into(), address };
    let v6 = format!("fd00:96::{last}").parse().unwrap();
    Service {
        name: host.into(),
        key: key(host),
        vips: vec![vip([10, 96, 0, last].into()), vip(v6)],
        ports: [(80, port)].into(),
        balancing,
        ..Service::default()
    }
}

fn workload(host: &str, n: u8) -> Workload {
    let v6 = format!("fd00:244::{n}").parse().unwrap();
    Workload {
        uid: WorkloadUid::new(format!("demo/{host}-{n}")),
        addresses: [[10, 244, 0, n].into(), v6].into_iter().collect(),
        services: [(key(host), Default::default())].into(),
        ..Workload::default()
    }
}

/// One of each kind: equal endpoints, weights, Maglev, the nearest, one that only drains, none at all.
fn mesh() -> (Vec<Service>, Vec<Workload>) {
    let maglev = Balancing { algorithm: Algorithm::Maglev, ..Balancing::default() };
    let near = Balancing { mode: Mode::Failover, scopes: vec![Scope::Zone], ..Balancing::default() };
    let services = vec![
        service("web", 10, Balancing::default()),
        service("weighed", 20, Balancing::default()),
        service("hashed", 30, maglev),
        service("near", 40, near),
        service("idle", 50, Balancing::default()),
    ];
    let at = |zone: &str, node: &str, workload| Workload {
        node: node.into(),
        locality: Locality { zone: zone.into(), ..Locality::default() }.into(),
        ..workload
    };
    let workloads = vec![
        workload("web", 11),
        workload("web", 12),
        Workload { health: Health::Draining, ..workload("web", 13) },
        Workload { capacity: 3, ..workload("weighed", 21) },
        workload("weighed", 22),
        workload("hashed", 31),
        workload("hashed", 32),
        at("z1", "node-1", workload("near", 41)),
        at("z2", "node-2", workload("near", 42)),
    ];
    (services, workloads)
}

fn snapshot((services, workloads): (Vec<Service>, Vec<Workload>)) -> Snapshot {
    Snapshot::new(services, workloads, []).unwrap()
}

fn tables(snapshot: &Snapshot, node: &str) -> MemoryTables {
    let mut tables = MemoryTables::new(SIZES);
    let place = Place::of_node(node, snapshot);
    let stores = plan(&mut State::empty(SIZES), Change::everything(snapshot, &place)).unwrap();
    stores.iter().for_each(|store| assert!(tables.store(store)));
    tables
}

fn filled() -> MemoryTables {
    tables(&snapshot(mesh()), "node-1")
}

fn compared(source: Snapshot, tables: &MemoryTables) -> DiffView {
    let former = Names::of(&snapshot(mesh()));
    let source = Source { name: "/etc/mesh.yaml".into(), snapshot: source, node: "node-1".into(), former };
    DiffView::of(&Look::compare(3, tables, source))
}

/// The service that leads there, its first slot.
fn first_slot(tables: &MemoryTables, last: u8) -> u32 {
    let key =
        FrontendKey::new(std::net::IpAddr::from([10, 96, 0, last]).into(), 80_u16.to_be(), PROTOCOL_TCP);
    let id = tables.frontends().iter().find(|(found, _)| *found == key).unwrap().1.service();
    tables.service(id).unwrap().offset()
}

#[test]
fn tables_that_an_agent_filled_do_not_differ() {
    let view = compared(snapshot(mesh()), &filled());
    assert!(view.same);
    insta::assert_snapshot!(view);
}

#[test]
fn a_slot_with_anothers_endpoint_is_shown() {
    let mut tables = filled();
    let slot = first_slot(&tables, 10);
    let other = tables.slot(first_slot(&tables, 20)).unwrap();
    assert!(tables.store(&Store::Slot { slot, endpoint: u32::try_from(other).unwrap() }));
    insta::assert_snapshot!(compared(snapshot(mesh()), &tables));
}

#[test]
fn a_slot_without_an_endpoint_is_shown() {
    let mut tables = filled();
    let slot = first_slot(&tables, 10);
    assert!(tables.store(&Store::Slot { slot, endpoint: 0 }));
    insta::assert_snapshot!(compared(snapshot(mesh()), &tables));
}

#[test]
fn what_the_source_says_and_the_tables_do_not_is_missing() {
    let (mut services, mut workloads) = mesh();
    services.push(service("new", 60, Balancing::default()));
    workloads.push(workload("new", 61));
    workloads.push(workload("idle", 51));
    insta::assert_snapshot!(compared(snapshot((services, workloads)), &filled()));
}

#[test]
fn what_the_tables_do_and_the_source_does_not_say_is_extra() {
    let (mut services, mut workloads) = mesh();
    services.retain(|service| service.key != key("idle") && service.key != key("hashed"));
    workloads.retain(|workload| {
        !workload.uid.as_str().contains("hashed") && workload.uid.as_str() != "demo/web-12"
    });
    insta::assert_snapshot!(compared(snapshot((services, workloads)), &filled()));
}

#[test]
fn other_weights_and_another_algorithm_are_shown() {
    let (mut services, mut workloads) = mesh();
    services[0].balancing.algorithm = Algorithm::RoundRobin;
    workloads[3].capacity = 2;
    let view = compared(snapshot((services, workloads)), &filled());
    insta::assert_snapshot!(view);
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&view).unwrap());
}

#[test]
fn a_node_elsewhere_leads_elsewhere() {
    let source = snapshot(mesh());
    let elsewhere = tables(&source, "node-2");
    insta::assert_snapshot!(compared(source, &elsewhere));
}
