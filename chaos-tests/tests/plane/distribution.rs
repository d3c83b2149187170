//! Who is picked how often, in a million picks of each kind.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    net::{IpAddr, SocketAddr},
    thread,
};

use evermesh_model::{
    Algorithm, Balancing, Health, HealthPolicy, Locality, Mode, Place, Protocol, Scope, Snapshot, Workload,
};
use evermesh_reference::{Answer, Endpoint, Ratio, answer, whole_numbers};
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
fn assert_fits<K: Debug + Ord>(what: &str, counts: &BTreeMap<K, u64>, shares: &BTreeMap<K, Ratio>) {
    const DEVIATIONS: f64 = 6.0;
    let total: u64 = counts.values().sum();
    let part = |(who, share): (&K, &Ratio)| {
        let expected = total as f64 * share.part as f64 / share.whole as f64;
        let found = *counts.get(who).unwrap_or(&0) as f64;
        (found - expected).powi(2) / expected
    };
    let sum: f64 = shares.iter().map(part).sum();
    // Wilson and Hilferty: the cube root of a chi-square is nearly normal.
    let free = shares.len() as f64 - 1.0;
    let most = free * (1.0 - 2.0 / (9.0 * free) + DEVIATIONS * (2.0 / (9.0 * free)).sqrt()).powi(3);
    println!("{what}: chi-square {sum:.1}, at most {most:.1}: {counts:?}");
    assert!(sum < most && counts.keys().eq(shares.keys()), "{what}: {sum} > {most}: {counts:?}");
}

fn shares(endpoints: &[Endpoint<'_>]) -> BTreeMap<(IpAddr, u16), Ratio> {
    endpoints.iter().map(|one| ((one.address, one.port), one.share)).collect()
}

fn mesh(balancing: Balancing, workloads: Vec<Workload>) -> Snapshot {
    Snapshot::new([service(balancing)], workloads, []).unwrap()
}

fn of_revision(n: u8, revision: &str) -> Workload {
    Workload { revision: revision.into(), ..workload(n) }
}

fn canary(stable: u32, canary: u32) -> Balancing {
    Balancing { split: vec![("v1".into(), stable), ("v2".into(), canary)], ..Balancing::default() }
}

fn meshes() -> [(&'static str, Snapshot); 7] {
    let in_zone = |n: u8, zone: &str, node: &str| Workload {
        locality: Locality { zone: zone.into(), ..Locality::default() }.into(),
        node: node.into(),
        ..workload(n)
    };
    let two_of_each =
        || vec![of_revision(1, "v1"), of_revision(2, "v1"), of_revision(3, "v2"), of_revision(4, "v2")];
    let near = Balancing { mode: Mode::Failover, scopes: vec![Scope::Zone], ..Balancing::default() };
    let on_the_node = Balancing { mode: Mode::Strict, scopes: vec![Scope::Node], ..Balancing::default() };
    let healthy_first = Balancing { health_policy: HealthPolicy::PreferHealthy, ..Balancing::default() };
    let ill = |n: u8| Workload { health: Health::Unhealthy, ..workload(n) };
    [
        ("equal", mesh(Balancing::default(), (1..=10).map(workload).collect())),
        (
            "weights",
            mesh(
                Balancing::default(),
                (1..=5).map(|n| Workload { capacity: u32::from(n) * u32::from(n), ..workload(n) }).collect(),
            ),
        ),
        ("canary of a hundredth", mesh(canary(99, 1), two_of_each())),
        ("canary of a tenth", mesh(canary(90, 10), two_of_each())),
        (
            "failover",
            mesh(near, vec![in_zone(1, "z1", NODE), in_zone(2, "z1", "other"), in_zone(3, "z2", "other")]),
        ),
        (
            "strict",
            mesh(
                on_the_node,
                vec![in_zone(1, "z1", NODE), in_zone(2, "z1", "other"), in_zone(3, "z1", NODE)],
            ),
        ),
        ("none healthy", mesh(healthy_first, (1..=3).map(ill).collect())),
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
        assert_fits(what, &picks(&bench), &shares(&endpoints(&mesh)));
    }
}

/// More than can be weighed exactly: not every endpoint has as much as its neighbour, but each revision has its share.
#[test]
fn a_canary_of_many_endpoints_has_its_share() {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let workloads = (1..=220).map(|n| of_revision(n, if n <= 110 { "v1" } else { "v2" }));
    let mesh = mesh(canary(90, 10), workloads.collect());
    let (_plane, _) = bench.start(Some(&mesh));
    bench.enrol(&bench.client);
    let endpoints = endpoints(&mesh);
    let revisions: BTreeMap<_, _> =
        endpoints.iter().map(|one| ((one.address, one.port), one.workload.revision.as_str())).collect();
    let mut counts = BTreeMap::new();
    for (place, count) in picks(&bench) {
        *counts.entry(revisions[&place]).or_default() += count;
    }
    let shares = BTreeMap::from([("v1", Ratio::new(9, 10)), ("v2", Ratio::new(1, 10))]);
    assert_fits("canary of many", &counts, &shares);
}

fn picks(bench: &Bench) -> Counts {
    inside(bench, &bench.client, || {
        let picker = Picker::new(bench, target());
        let mut counts = Counts::new();
        (0..PICKS).for_each(|_| *counts.entry(picker.pick()).or_default() += 1);
        counts
    })
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
