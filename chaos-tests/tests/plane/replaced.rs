//! A virtual IP goes from one service to another all the time while sockets connect to it: they are led to endpoints that the one has before
//! or the other after, and never refused.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use evermesh_abi::{FrontendKey, ServiceMeta, ServiceWord};
use evermesh_loader::tables::{self, Change, Store};
use evermesh_model::{Place, ServiceKey, Snapshot, Workload};
use evermesh_pins::sys::wait_for_programs;

use crate::{
    bench::{Bench, VIP4, key, service_at},
    pressure::{Outcome, is_refused, under_pressure},
};

/// A process that was held up after it had looked up which service the key leads to found it emptied.
#[test]
fn a_service_that_takes_the_place_of_another_refuses_nobody() {
    let outcome = alternate(one_after_the_other, |_| {}, Duration::from_secs(5), |_| false);
    println!("{outcome:?}");
    assert_eq!(outcome.failures, 0, "{outcome:?}");
    assert!(outcome.connects > 50_000 && outcome.changes > 1_000, "{outcome:?}");
}

/// As soon as no key leads to it.
#[test]
fn a_service_that_is_emptied_at_once_is_noticed() {
    let arrange = |stores: &mut Vec<Store>| {
        let gone = stores.iter().filter_map(|store| match store {
            Store::ServiceMeta { id, meta } if *meta == ServiceMeta::default() => Some(*id),
            _ => None,
        });
        let emptied: Vec<_> = gone.map(|id| Store::Service { id, word: ServiceWord::EMPTY }).collect();
        stores.extend(emptied);
    };
    let at_most = Duration::from_secs(120);
    let outcome = alternate(one_after_the_other, arrange, at_most, |outcome| outcome.failures > 0);
    println!("{outcome:?}");
    assert!(outcome.failures > 0, "{outcome:?}");
}

/// Each has endpoints only as long as it has the virtual IP: there is no order of their changes in which nobody is refused.
#[test]
fn services_that_exchange_virtual_ips_while_both_change_refuse_nobody() {
    let outcome = alternate(exchanging, |_| {}, Duration::from_secs(5), |_| false);
    println!("{outcome:?}");
    assert_eq!(outcome.failures, 0, "{outcome:?}");
    assert!(outcome.connects > 50_000 && outcome.changes > 50, "{outcome:?}");
}

#[test]
fn keys_that_go_straight_to_the_other_service_are_noticed() {
    let arrange = |stores: &mut Vec<Store>| {
        let keys: Vec<_> = stores.iter().map(key_set).collect();
        let mut at = 0;
        stores.retain(|_| {
            at += 1;
            keys[at - 1].is_none() || !keys[at..].contains(&keys[at - 1])
        });
    };
    let at_most = Duration::from_secs(60);
    let outcome = alternate(exchanging, arrange, at_most, |outcome| outcome.failures > 0);
    println!("{outcome:?}");
    assert!(outcome.failures > 0, "{outcome:?}");
}

fn key_set(store: &Store) -> Option<FrontendKey> {
    match *store {
        Store::SetFrontend { key, .. } => Some(key),
        _ => None,
    }
}

/// What was freed waits for a barrier, of which each takes milliseconds.
const RECLAIM_EVERY: usize = 50;

/// Changes from the one mesh to the other and back.
fn alternate(
    meshes: fn(&Bench) -> [Snapshot; 2],
    arrange: fn(&mut Vec<Store>),
    at_most: Duration,
    enough: fn(&Outcome) -> bool,
) -> Outcome {
    let bench = Bench::new();
    let meshes = meshes(&bench);
    drop(bench.start(Some(&meshes[0])));
    bench.enrol(&bench.client);
    let (mut state, mut writer) = bench.tables();
    under_pressure(&bench, at_most, enough, is_refused, |number| {
        let mesh = &meshes[(number + 1) % 2];
        let mut stores = tables::plan(&mut state, Change::everything(mesh, &Place::default())).unwrap();
        arrange(&mut stores);
        writer.execute(&stores).unwrap();
        if number % RECLAIM_EVERY == 0 {
            let retired = state.take_retired();
            wait_for_programs().unwrap();
            state.reuse(retired);
        }
    })
}

/// Another service has the virtual IP, and the one before is gone.
fn one_after_the_other(bench: &Bench) -> [Snapshot; 2] {
    let mesh = |name| Snapshot::new([service_at(named(name), &[VIP4])], behind(bench, name), []).unwrap();
    [mesh("one"), mesh("other")]
}

/// The other service has the virtual IP, and has given up another one for it.
fn exchanging(bench: &Bench) -> [Snapshot; 2] {
    const KEPT: [&str; 2] = ["10.96.0.11", "10.96.0.12"];
    const GIVEN: &str = "10.96.0.13";
    let mesh = |one: [&str; 2], other: [&str; 2], has_it| {
        let services = [service_at(named("one"), &one), service_at(named("other"), &other)];
        Snapshot::new(services, behind(bench, has_it), []).unwrap()
    };
    [mesh([KEPT[0], VIP4], [KEPT[1], GIVEN], "one"), mesh([KEPT[0], GIVEN], [KEPT[1], VIP4], "other")]
}

fn named(name: &str) -> ServiceKey {
    ServiceKey { hostname: format!("{name}.demo.svc.cluster.local").into(), ..key() }
}

/// All workloads, behind this service.
fn behind(bench: &Bench, name: &str) -> Vec<Workload> {
    let services = BTreeMap::from([(named(name), BTreeMap::new())]);
    let mesh = bench.mesh(2);
    let behind = |one: &Arc<Workload>| Workload { services: services.clone().into(), ..Workload::clone(one) };
    mesh.workloads().map(behind).collect()
}
