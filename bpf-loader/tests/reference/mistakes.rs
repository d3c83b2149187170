//! That the reference would notice.

use std::sync::Arc;

use evermesh_loader::tables::Store;
use evermesh_model::{
    Algorithm, Health, HealthPolicy, Passes, Place, Service, Snapshot, Workload, WorkloadUid,
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::{
    first_disagreement, history,
    node::{Mistake, NO_MISTAKE},
};

/// Whether it is noticed in one of a few histories, always the same ones.
fn is_noticed(mistake: Mistake) -> bool {
    let mut runner = TestRunner::deterministic();
    let histories = (0..20).map(|_| history().new_tree(&mut runner).unwrap().current());
    histories.into_iter().any(|history| first_disagreement(&history, mistake).is_some())
}

fn with(snapshot: &Snapshot, service: fn(&mut Service), workload: fn(&mut Workload)) -> Snapshot {
    fn changed<T: Clone>(one: &Arc<T>, change: fn(&mut T)) -> T {
        let mut one = one.as_ref().clone();
        change(&mut one);
        one
    }
    let services: Vec<_> = snapshot.services().map(|one| changed(one, service)).collect();
    let workloads: Vec<_> = snapshot.workloads().map(|one| changed(one, workload)).collect();
    Snapshot::new(services, workloads, []).unwrap()
}

#[test]
fn without_a_mistake_nothing_is_noticed() {
    assert!(!is_noticed(NO_MISTAKE));
}

fn refuse_what_passes(service: &mut Service) {
    service.ports.values_mut().for_each(|port| port.passes = Passes::Never);
}

fn fall_ill(workload: &mut Workload) {
    if workload.health == Health::Draining {
        workload.health = Health::Unhealthy;
    }
}

type Misread = fn(&Snapshot) -> Snapshot;

#[test]
fn misread_services_and_workloads_are_noticed() {
    let mistakes: [(&str, Misread); 8] = [
        ("draining", |mesh| with(mesh, |_| (), fall_ill)),
        ("health", |mesh| with(mesh, |_| (), |one| one.health = Health::Healthy)),
        ("capacity", |mesh| with(mesh, |_| (), |one| one.capacity = one.capacity.min(1))),
        ("health policy", |mesh| {
            with(mesh, |one| one.balancing.health_policy = HealthPolicy::OnlyHealthy, |_| ())
        }),
        ("algorithm", |mesh| with(mesh, |one| one.balancing.algorithm = Algorithm::Random, |_| ())),
        ("split", |mesh| with(mesh, |one| one.balancing.split.truncate(1), |_| ())),
        ("passes", |mesh| with(mesh, refuse_what_passes, |_| ())),
        ("uid", |mesh| with(mesh, |_| (), |one| one.uid = WorkloadUid::new(format!("{}x", one.uid)))),
    ];
    for (what, snapshot) in mistakes {
        assert!(is_noticed(Mistake { snapshot, ..NO_MISTAKE }), "{what}");
    }
}

#[test]
fn a_node_that_does_not_know_where_it_is_is_noticed() {
    assert!(is_noticed(Mistake { place: |_| Place::default(), ..NO_MISTAKE }));
}

#[test]
fn a_store_that_is_missing_is_noticed() {
    let mistakes: [fn(&mut Vec<Store>); 4] = [
        |stores| stores.retain(|store| !matches!(store, Store::Slot { .. })),
        |stores| stores.retain(|store| !matches!(store, Store::Service { .. })),
        |stores| stores.retain(|store| !matches!(store, Store::SetFrontend { .. })),
        |stores| stores.retain(|store| !matches!(store, Store::RemoveFrontend { .. })),
    ];
    for stores in mistakes {
        assert!(is_noticed(Mistake { stores, ..NO_MISTAKE }));
    }
}

#[test]
fn a_record_that_is_left_behind_is_noticed_at_a_restart() {
    let stores =
        |stores: &mut Vec<Store>| stores.retain(|store| !matches!(store, Store::RetireEndpoint { .. }));
    assert!(is_noticed(Mistake { stores, ..NO_MISTAKE }));
}
