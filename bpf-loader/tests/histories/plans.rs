//! What a plan comes to for some changes: no more stores than it takes.

use evermesh_loader::{
    TableSizes,
    tables::{self, MemoryTables, State, Store},
};
use evermesh_model::{Algorithm, Health, Service, Snapshot, Workload};

use crate::{
    SIZES, difference, everything, lowered,
    meshes::{balanced, endpoints},
    store_all,
};

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
fn another_algorithm_over_the_same_slots_is_one_word() {
    let stores = stores_between(&endpoints(0..5), &balanced(Algorithm::RoundRobin, 0..5));
    assert!(matches!(stores[..], [Store::Service { .. }]), "{stores:?}");
}

/// Everyone weighs three, so each has one slot; one who weighs one is not as good as they are.
#[test]
fn one_endpoint_more_that_weighs_less_is_weighed() {
    let heavier = |mesh: &Snapshot| {
        let workloads = mesh.workloads().map(|it| Workload { capacity: 3, ..Workload::clone(it) });
        workloads.collect::<Vec<_>>()
    };
    let before = endpoints(0..3);
    let services = || before.services().map(|it| Service::clone(it)).collect::<Vec<_>>();
    let mut workloads = heavier(&before);
    let alike = Snapshot::new(services(), workloads.clone(), []).unwrap();
    workloads.extend(endpoints(3..4).workloads().map(|it| Workload::clone(it)));
    let lighter = Snapshot::new(services(), workloads, []).unwrap();
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    store_all(&mut image, &tables::plan(&mut state, everything(&alike)).unwrap(), &alike).unwrap();
    let change = difference(&state, &alike, &lighter);
    store_all(&mut image, &tables::plan(&mut state, change).unwrap(), &lighter).unwrap();
    assert_eq!(tables::check(&lowered(&lighter), &image), Ok(()));
}

#[test]
fn a_maglev_table_is_taken_over_at_once() {
    let sizes = TableSizes { services: 64, endpoints: 16_384, ..TableSizes::DEFAULT };
    let (mut state, mut image) = (State::empty(sizes), MemoryTables::new(sizes));
    let meshes = [
        endpoints(0..5),
        balanced(Algorithm::Maglev, 0..5),
        balanced(Algorithm::Maglev, 1..7),
        endpoints(2..4),
    ];
    for mesh in meshes {
        let stores = tables::plan(&mut state, everything(&mesh)).unwrap();
        store_all(&mut image, &stores, &mesh).unwrap();
        assert_eq!(tables::check(&lowered(&mesh), &image), Ok(()));
        assert_eq!(tables::plan(&mut tables::adopt(&image), everything(&mesh)).unwrap(), []);
    }
}

/// Whoever takes turns and weighs more than others was laid out anew with all of them.
#[test]
fn a_weight_among_those_that_take_turns_changes_a_few_slots() {
    let weigh = |weights: &dyn Fn(u32) -> u32| {
        let mesh = balanced(Algorithm::RoundRobin, 0..100);
        let workloads = (0..)
            .zip(mesh.workloads())
            .map(|(n, it)| Workload { capacity: weights(n), ..Workload::clone(it) });
        Snapshot::new(mesh.services().map(|it| Service::clone(it)), workloads, []).unwrap()
    };
    let sizes = TableSizes { services: 64, endpoints: 1024, ..TableSizes::DEFAULT };
    let (mut state, mut image) = (State::empty(sizes), MemoryTables::new(sizes));
    let mut before = weigh(&|n| 1 + n % 3);
    store_all(&mut image, &tables::plan(&mut state, everything(&before)).unwrap(), &before).unwrap();
    for weight in [4, 1, 2, 5] {
        let after = weigh(&|n| if n == 50 { weight } else { 1 + n % 3 });
        let change = difference(&state, &before, &after);
        let stores = tables::plan(&mut state, change).unwrap();
        assert!(stores.len() < 30, "{weight}: {}", stores.len());
        store_all(&mut image, &stores, &after).unwrap();
        assert_eq!(tables::check(&lowered(&after), &image), Ok(()));
        assert_eq!(tables::plan(&mut tables::adopt(&image), everything(&after)).unwrap(), []);
        before = after;
    }
}

#[test]
fn who_drains_loses_its_slot_and_keeps_its_record() {
    let before = endpoints(0..5);
    let mut workloads: Vec<Workload> = before.workloads().map(|it| Workload::clone(it)).collect();
    workloads[1].health = Health::Draining;
    let after = Snapshot::new(before.services().map(|it| Service::clone(it)), workloads, []).unwrap();
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    for mesh in [&before, &after] {
        let stores = tables::plan(&mut state, everything(mesh)).unwrap();
        assert!(!stores.iter().any(|store| matches!(store, Store::RetireEndpoint { .. })), "{stores:?}");
        store_all(&mut image, &stores, mesh).unwrap();
    }
    assert_eq!(tables::check(&lowered(&after), &image), Ok(()));
    assert_eq!(tables::plan(&mut tables::adopt(&image), everything(&after)).unwrap(), []);
}

#[test]
fn a_full_table_is_named_with_what_to_do() {
    let sizes = TableSizes { services: 64, endpoints: 4, ..TableSizes::DEFAULT };
    let mut state = State::empty(sizes);
    let error = tables::plan(&mut state, everything(&endpoints(0..5))).unwrap_err();
    assert_eq!(error.to_string(), "the table `endpoints` is full: raise --max-endpoints");
}
