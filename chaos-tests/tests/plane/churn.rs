//! Endpoints change thousands of times a second while sockets connect all the time: no connect finds a hole or
//! another service's endpoint. And it would be noticed if the writer took a short cut.

use std::{process::Command, time::Duration};

use evermesh_loader::tables::{self, Change, State, Store, TableWriter};
use evermesh_model::{Place, Snapshot, Workload, WorkloadUid};
use evermesh_pins::sys::wait_for_programs;

use crate::{
    bench::{Bench, VIP4, key, service_at},
    pressure::{Outcome, under_pressure},
};

/// Where the other service's endpoints are: a connect that is led there fails at once.
const NOWHERE: &str = "203.0.113.0/24";
const OTHER_VIP: &str = "10.96.0.11";

/// How the writer works.
#[derive(Clone, Copy)]
struct Discipline {
    arrange: fn(&mut Vec<Store>),
    barrier: bool,
    /// Workloads that take turns behind the two services: many make long plans, few make quick ones.
    workloads: usize,
}

const PROPER: Discipline = Discipline { arrange: |_| {}, barrier: true, workloads: 80 };

#[test]
fn churn_is_not_noticed() {
    let outcome = churn(PROPER, Duration::from_secs(5), |_| false);
    println!("{outcome:?}");
    assert_eq!(outcome.failures, 0, "{outcome:?}");
    assert!(outcome.connects > 100_000 && outcome.changes > 50, "{outcome:?}");
}

/// The same as the last one, and it waits.
#[test]
fn reuse_at_once_after_a_barrier_is_not_noticed() {
    let outcome = churn(Discipline { workloads: 9, ..PROPER }, Duration::from_secs(5), |_| false);
    println!("{outcome:?}");
    assert_eq!(outcome.failures, 0, "{outcome:?}");
    assert!(outcome.connects > 100_000 && outcome.changes > 50, "{outcome:?}");
}

#[test]
fn slots_written_after_the_service_word_are_noticed() {
    let arrange = |stores: &mut Vec<Store>| stores.sort_by_key(|store| matches!(store, Store::Slot { .. }));
    let outcome = churn(Discipline { arrange, ..PROPER }, Duration::from_secs(60), |o| o.failures > 0);
    println!("{outcome:?}");
    assert!(outcome.failures > 0, "{outcome:?}");
}

#[test]
fn reuse_without_a_barrier_is_noticed() {
    let outcome =
        churn(Discipline { barrier: false, workloads: 9, ..PROPER }, Duration::from_secs(120), |o| {
            o.failures > 0
        });
    println!("{outcome:?}");
    assert!(outcome.failures > 0, "{outcome:?}");
}

/// Churns until `enough` says so or the time is over.
fn churn(discipline: Discipline, at_most: Duration, enough: fn(&Outcome) -> bool) -> Outcome {
    let bench = Bench::new();
    let mut route = Command::new("ip");
    route.args(["route", "add", "unreachable", NOWHERE]);
    bench.client.run(route).unwrap();
    drop(bench.start(Some(&mesh(&bench, 0, discipline.workloads))));
    bench.enrol(&bench.client);
    let (mut state, mut writer) = bench.tables();
    let meshes: Vec<Snapshot> = (0..7).map(|turn| mesh(&bench, turn, discipline.workloads)).collect();
    let change = |number: usize| change(&mut state, &mut writer, &meshes[number % meshes.len()], discipline);
    under_pressure(&bench, at_most, enough, |_| true, change)
}

fn change(state: &mut State, writer: &mut TableWriter, mesh: &Snapshot, discipline: Discipline) {
    let mut stores = tables::plan(state, Change::everything(mesh, &Place::default())).unwrap();
    (discipline.arrange)(&mut stores);
    writer.execute(&stores).unwrap();
    let retired = state.take_retired();
    if discipline.barrier {
        wait_for_programs().unwrap();
    }
    state.reuse(retired);
}

/// In each turn other workloads stand behind both services, so that ids and slots go from one to the other.
fn mesh(bench: &Bench, turn: usize, workloads: usize) -> Snapshot {
    let other = evermesh_model::ServiceKey { hostname: "other.demo.svc.cluster.local".into(), ..key() };
    let here = |n: usize| !(n + turn).is_multiple_of(3);
    let home = bench.web[0].ipv4().to_string();
    let good = (0..workloads).filter(|&n| here(n)).map(|n| workload(&format!("good-{n}"), &home, key()));
    let bad = (0..workloads)
        .filter(|&n| !here(n))
        .map(|n| workload(&format!("bad-{n}"), &format!("203.0.113.{n}"), other.clone()));
    let services = [service_at(key(), &[VIP4]), service_at(other.clone(), &[OTHER_VIP])];
    Snapshot::new(services, good.chain(bad), []).unwrap()
}

fn workload(name: &str, address: &str, service: evermesh_model::ServiceKey) -> Workload {
    Workload {
        uid: WorkloadUid::new(name),
        name: name.into(),
        namespace: "demo".into(),
        addresses: vec![address.parse().unwrap()].into(),
        services: [(service, Default::default())].into(),
        ..Workload::default()
    }
}
