//! Who is picked how often, in a million picks of each kind.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    thread,
};

use evermesh_model::{Algorithm, Balancing, Locality, Mode, Place, Protocol, Scope, Snapshot, Workload};
use evermesh_reference::{Answer, Endpoint, answer, whole_numbers};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

use crate::{
    bench::{Bench, NODE, PORT, VIP4, inside},
    listeners::make_local,
    picks::{NETWORKS, Picker, service, workload},
};

const PICKS: u64 = 1_000_000;

type Counts = BTreeMap<(IpAddr, u16), u64>;

fn target() -> SocketAddr {
    SocketAddr::new(VIP4.parse().unwrap(), PORT)
}

fn endpoints(mesh: &Snapshot) -> Vec<Endpoint<'_>> {
    match answer(mesh, &Place::of_node(NODE, mesh), target().ip(), PORT, Protocol::Udp) {
        Answer::Led { endpoints, .. } => endpoints,
        other => panic!("{other:?}"),
    }
}

/// Fails where so uneven a distribution would come up by chance less than once in a thousand million times.
fn assert_fits(what: &str, counts: &Counts, endpoints: &[Endpoint<'_>]) {
    const DEVIATIONS: f64 = 6.0;
    let total: u64 = counts.values().sum();
    let part = |endpoint: &Endpoint<'_>| {
        let expected = total as f64 * endpoint.share.part as f64 / endpoint.share.whole as f64;
        let found = *counts.get(&(endpoint.address, endpoint.port)).unwrap_or(&0) as f64;
        (found - expected).powi(2) / expected
    };
    let sum: f64 = endpoints.iter().map(part).sum();
    // Wilson and Hilferty: the cube root of a chi-square is nearly normal.
    let free = endpoints.len() as f64 - 1.0;
    let most = free * (1.0 - 2.0 / (9.0 * free) + DEVIATIONS * (2.0 / (9.0 * free)).sqrt()).powi(3);
    println!("{what}: chi-square {sum:.1}, at most {most:.1}: {counts:?}");
    assert!(sum < most && counts.len() == endpoints.len(), "{what}: {sum} > {most}: {counts:?}");
}

fn meshes() -> [(&'static str, Snapshot); 4] {
    let mesh =
        |balancing, workloads: Vec<Workload>| Snapshot::new([service(balancing)], workloads, []).unwrap();
    let of_revision = |n: u8, revision: &str| Workload { revision: revision.into(), ..workload(n) };
    let in_zone = |n: u8, zone: &str, node: &str| Workload {
        locality: Locality { zone: zone.into(), ..Locality::default() },
        node: node.into(),
        ..workload(n)
    };
    let split = vec![("v1".into(), 99), ("v2".into(), 1)];
    let near = Balancing { mode: Mode::Failover, scopes: vec![Scope::Zone], ..Balancing::default() };
    [
        ("equal", mesh(Balancing::default(), (1..=10).map(workload).collect())),
        (
            "weights",
            mesh(
                Balancing::default(),
                (1..=5).map(|n| Workload { capacity: u32::from(n) * u32::from(n), ..workload(n) }).collect(),
            ),
        ),
        (
            "canary",
            mesh(
                Balancing { split, ..Balancing::default() },
                vec![of_revision(1, "v1"), of_revision(2, "v1"), of_revision(3, "v2"), of_revision(4, "v2")],
            ),
        ),
        (
            "failover",
            mesh(near, vec![in_zone(1, "z1", NODE), in_zone(2, "z1", "other"), in_zone(3, "z2", "other")]),
        ),
    ]
}

#[test]
fn random_picks_follow_the_shares() {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let (mut plane, _) = bench.start(None);
    bench.enrol(&bench.client);
    for (what, mesh) in meshes() {
        plane.apply(&mesh).unwrap();
        plane.reclaim().unwrap();
        let counts = inside(&bench, &bench.client, || {
            let picker = Picker::new(&bench, target());
            let mut counts = Counts::new();
            (0..PICKS).for_each(|_| *counts.entry(picker.pick()).or_default() += 1);
            counts
        });
        assert_fits(what, &counts, &endpoints(&mesh));
    }
}

#[test]
fn round_robin_takes_exact_turns_on_each_cpu() {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let balancing = Balancing { algorithm: Algorithm::RoundRobin, ..Balancing::default() };
    let workloads = (1..=4).map(|n| Workload { capacity: n.into(), ..workload(n) });
    let mesh = Snapshot::new([service(balancing)], workloads, []).unwrap();
    let (_plane, _) = bench.start(Some(&mesh));
    bench.enrol(&bench.client);
    let cpus = cpus();
    inside(&bench, &bench.client, || {
        let picks = PICKS / cpus.len() as u64;
        let pickers: Vec<Picker> = cpus.iter().map(|_| Picker::new(&bench, target())).collect();
        thread::scope(|scope| {
            for (&cpu, picker) in cpus.iter().zip(&pickers) {
                let endpoints = endpoints(&mesh);
                scope.spawn(move || takes_turns(cpu, picks, picker, &endpoints));
            }
        });
    });
}

/// Of as many picks as there are turns in a round, each endpoint gets its own.
fn takes_turns(cpu: usize, picks: u64, picker: &Picker, endpoints: &[Endpoint<'_>]) {
    stay_on(cpu);
    let shares: Vec<_> = endpoints.iter().map(|endpoint| endpoint.share).collect();
    let turns: Vec<u64> =
        whole_numbers(&shares).unwrap().iter().map(|n| u64::try_from(*n).unwrap()).collect();
    let places = endpoints.iter().map(|endpoint| (endpoint.address, endpoint.port));
    let expected: Counts = places.zip(turns.iter().copied()).collect();
    let round: u64 = turns.iter().sum();
    for number in 0..picks / round {
        let mut counts = Counts::new();
        (0..round).for_each(|_| *counts.entry(picker.pick()).or_default() += 1);
        assert_eq!(counts, expected, "round {number} on CPU {cpu}");
    }
}

/// Those that this process may run on.
fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap()).collect()
}

fn stay_on(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}
