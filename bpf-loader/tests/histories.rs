//! Random histories of meshes, planned and stored one store at a time on an image of the tables.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::collections::BTreeMap;

use evermesh_loader::{
    TableSizes, lower_all,
    tables::{self, Change, Meaning, MemoryTables, State, Store},
};
use evermesh_model::{
    Health, Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid,
};
use proptest::prelude::*;

const SIZES: TableSizes = TableSizes { services: 64, endpoints: 256 };

/// One service of a history: which virtual IPs, which ports, who stands behind it.
#[derive(Clone, Debug)]
struct Shape {
    ipv4: bool,
    ipv6: bool,
    ports: Vec<u16>,
    members: Vec<(u8, bool, u16)>,
}

fn shape() -> impl Strategy<Value = Shape> {
    let ports = prop::sample::subsequence(vec![53, 80, 443], 0..=3);
    let members = prop::collection::vec((0u8..24, prop::bool::weighted(0.9), 8000u16..8003), 0..12);
    (any::<bool>(), any::<bool>(), ports, members).prop_map(|(ipv4, ipv6, ports, members)| Shape {
        ipv4,
        ipv6,
        ports,
        members,
    })
}

fn mesh() -> impl Strategy<Value = Snapshot> {
    prop::collection::btree_map(0u8..5, shape(), 0..5).prop_map(|shapes| snapshot(&shapes))
}

fn snapshot(shapes: &BTreeMap<u8, Shape>) -> Snapshot {
    let mut workloads = BTreeMap::new();
    for (&n, shape) in shapes {
        for &(member, healthy, port) in &shape.members {
            let workload = workloads.entry(member).or_insert_with(|| workload(member));
            workload.health = if healthy { Health::Healthy } else { Health::Unhealthy };
            workload.services.insert(key(n), BTreeMap::from([(80, port)]));
        }
    }
    let services = shapes.iter().map(|(&n, shape)| service(n, shape));
    Snapshot::new(services, workloads.into_values(), []).unwrap()
}

fn key(n: u8) -> ServiceKey {
    ServiceKey { namespace: "ns".into(), hostname: format!("s{n}.example") }
}

fn service(n: u8, shape: &Shape) -> Service {
    let vip = |address: String| VirtualIp { network: String::new(), address: address.parse().unwrap() };
    let mut vips = Vec::new();
    vips.extend(shape.ipv4.then(|| vip(format!("10.96.0.{}", n + 1))));
    vips.extend(shape.ipv6.then(|| vip(format!("fd00:96::{}", n + 1))));
    let protocols = vec![Protocol::Tcp, Protocol::Udp];
    let port = |&number: &u16| (number, Port { target_port: number + 1, protocols: protocols.clone() });
    Service { name: format!("s{n}"), key: key(n), vips, ports: shape.ports.iter().map(port).collect() }
}

fn workload(n: u8) -> Workload {
    Workload {
        uid: WorkloadUid(format!("w{n}")),
        name: format!("w{n}"),
        namespace: "ns".into(),
        addresses: vec![format!("10.244.0.{n}").parse().unwrap(), format!("fd00:244::{n}").parse().unwrap()],
        node: String::new(),
        network: String::new(),
        health: Health::Healthy,
        services: BTreeMap::new(),
    }
}

fn everything(snapshot: &Snapshot) -> Change {
    Change::Everything(lower_all(snapshot))
}

/// Every destination reaches what it reached before or what it will reach, and nothing else.
fn is_between(now: &Meaning, before: &Meaning, after: &Meaning) -> Result<(), String> {
    let keys = now.0.keys().chain(before.0.keys()).chain(after.0.keys());
    for key in keys {
        let reach = |meaning: &Meaning| meaning.0.get(key).map(|target| target.reachable());
        if reach(now) != reach(before) && reach(now) != reach(after) {
            return Err(format!(
                "{key:?}: {:?}, before {:?}, after {:?}",
                reach(now),
                reach(before),
                reach(after)
            ));
        }
    }
    Ok(())
}

/// Performs the stores one by one; after each, the tables must mean the old or the new state.
fn store_all(tables: &mut MemoryTables, stores: &[Store], after: &Snapshot) -> Result<(), String> {
    let (before, after) = (Meaning::of_tables(tables), Meaning::of_model(after));
    for store in stores {
        if !tables.store(store) {
            return Err(format!("{store:?} is beyond the table"));
        }
        is_between(&Meaning::of_tables(tables), &before, &after)
            .map_err(|e| format!("after {store:?}: {e}"))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the history, after every single store each destination means the old or the new state, and after the last
    /// the tables hold exactly what the model says.
    #[test]
    fn every_prefix_of_a_plan_means_the_old_or_the_new_state(history in prop::collection::vec(mesh(), 1..12)) {
        let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
        for mesh in &history {
            let stores = tables::plan(&mut state, everything(mesh)).unwrap();
            store_all(&mut image, &stores, mesh).map_err(TestCaseError::fail)?;
            prop_assert_eq!(tables::check(mesh, &image), Ok(()));
            let retired = state.take_retired();
            state.reuse(retired);
        }
    }

    /// Cut off after any store, read back and planned again, the tables come to hold the new state; read back
    /// once more there is nothing left to store.
    #[test]
    fn a_plan_cut_off_anywhere_is_finished_by_adoption(
        before in mesh(),
        after in mesh(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
        let first = tables::plan(&mut state, everything(&before)).unwrap();
        store_all(&mut image, &first, &before).map_err(TestCaseError::fail)?;
        let second = tables::plan(&mut state, everything(&after)).unwrap();
        let cut = cut.index(second.len() + 1);
        store_all(&mut image, &second[..cut], &after).map_err(TestCaseError::fail)?;

        let mut adopted = tables::adopt(&image);
        let rest = tables::plan(&mut adopted, everything(&after)).unwrap();
        store_all(&mut image, &rest, &after).map_err(TestCaseError::fail)?;
        prop_assert_eq!(tables::check(&after, &image), Ok(()));
        let mut again = tables::adopt(&image);
        prop_assert_eq!(tables::plan(&mut again, everything(&after)).unwrap(), vec![]);
    }

    /// Ids and slots keep their places in larger tables.
    #[test]
    fn a_larger_generation_holds_the_same_state(mesh in mesh()) {
        let mut state = State::empty(SIZES);
        tables::plan(&mut state, everything(&mesh)).unwrap();
        let larger = TableSizes { services: 100, endpoints: 1000 };
        state.grow(larger);
        let mut image = MemoryTables::new(larger);
        for store in state.as_stores() {
            prop_assert!(image.store(&store));
        }
        prop_assert_eq!(tables::check(&mesh, &image), Ok(()));
    }
}

/// One service with so many endpoints.
fn endpoints(members: std::ops::Range<u8>) -> Snapshot {
    let members = members.map(|n| (n, true, 8000)).collect();
    snapshot(&BTreeMap::from([(0, Shape { ipv4: true, ipv6: false, ports: vec![80], members })]))
}

fn stores_between(before: &Snapshot, after: &Snapshot) -> Vec<Store> {
    let mut state = State::empty(SIZES);
    tables::plan(&mut state, everything(before)).unwrap();
    tables::plan(&mut state, everything(after)).unwrap()
}

#[test]
fn one_endpoint_more_is_a_record_a_slot_and_a_word() {
    let stores = stores_between(&endpoints(0..5), &endpoints(0..6));
    assert!(
        matches!(stores[..], [Store::Endpoint { .. }, Store::Slot { .. }, Store::Service { .. }]),
        "{stores:?}"
    );
}

#[test]
fn one_endpoint_less_leaves_no_hole() {
    let stores = stores_between(&endpoints(0..5), &endpoints(1..5));
    assert!(
        matches!(stores[..], [Store::Slot { .. }, Store::Service { .. }, Store::RetireEndpoint { .. }]),
        "{stores:?}"
    );
}

#[test]
fn one_endpoint_for_another_is_one_slot() {
    let stores = stores_between(&endpoints(0..5), &endpoints(1..6));
    let expected =
        matches!(stores[..], [Store::Endpoint { .. }, Store::Slot { .. }, Store::RetireEndpoint { .. }]);
    assert!(expected, "{stores:?}");
}

#[test]
fn a_full_table_is_named_with_what_to_do() {
    let sizes = TableSizes { services: 64, endpoints: 4 };
    let mut state = State::empty(sizes);
    let error = tables::plan(&mut state, everything(&endpoints(0..5))).unwrap_err();
    assert_eq!(error.to_string(), "the table `endpoints` is full: raise --max-endpoints");
}

/// The oracle of `every_prefix_of_a_plan_means_the_old_or_the_new_state` sees a wrong order.
#[test]
fn slots_written_after_the_word_are_noticed() {
    let (before, after) = (endpoints(0..5), endpoints(8..14));
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    for store in tables::plan(&mut state, everything(&before)).unwrap() {
        assert!(image.store(&store));
    }
    let mut stores = tables::plan(&mut state, everything(&after)).unwrap();
    stores.sort_by_key(|store| matches!(store, Store::Slot { .. }));
    let noticed = store_all(&mut image, &stores, &after).unwrap_err();
    assert!(noticed.contains("before"), "{noticed}");
}
