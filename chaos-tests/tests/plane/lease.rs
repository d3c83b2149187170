//! A node whose agent is silent for too long leaves new flows alone.

use std::{net::SocketAddr, time::Duration};

use evermesh_loader::{Config, DataPlane};
use evermesh_model::{Balancing, Snapshot};
use evermesh_pins::{Control, Inventory, TablesView};

use crate::{
    bench::{Bench, PORT, TARGET, VIP4, VIP6, inside},
    listeners::{Listeners, Met, ask, make_local},
    picks::{NETWORKS, service, workload},
};

const LEASE: Duration = Duration::from_secs(10);
/// Soon after boot.
const LONG_AGO_NS: u64 = 1;

fn ready(lease: Duration) -> (Bench, DataPlane) {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    make_local(&bench.client, &["10.96.0.0/24", "fd00:96::/64"]);
    let mesh = Snapshot::new([service(Balancing::default())], [workload(1)], []).unwrap();
    let config = Config { lease, ..bench.config() };
    let (plane, _) = DataPlane::start(config, Some(&mesh)).unwrap();
    bench.enrol(&bench.client);
    (bench, plane)
}

/// The virtual IPs at their port, and at one that they do not have.
fn met(bench: &Bench) -> [Met; 3] {
    let targets = [(VIP4, PORT), (VIP6, PORT), (VIP4, TARGET)]
        .map(|(ip, port)| SocketAddr::new(ip.parse().unwrap(), port));
    inside(bench, &bench.client, || {
        let _listeners = Listeners::new(&[PORT, TARGET]);
        targets.map(ask)
    })
}

fn balanced() -> [Met; 3] {
    let at = |ip: &str| Some((ip.parse().unwrap(), TARGET));
    [at("10.250.0.1"), at("fd00:250::1"), None]
}

fn left_alone() -> [Met; 3] {
    let at = |ip: &str, port| Some((ip.parse().unwrap(), port));
    [at(VIP4, PORT), at(VIP6, PORT), at(VIP4, TARGET)]
}

fn stale(bench: &Bench) -> u64 {
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let counters = TablesView::counters(&bench.pins(), 1, &inventory.generations[&1]).unwrap();
    counters.iter().find(|(name, _)| *name == "stale").unwrap().1
}

#[test]
fn flows_are_left_alone_while_the_lease_is_over() {
    let (bench, plane) = ready(LEASE);
    let control = Control::open(&bench.pins()).unwrap();
    plane.beat().unwrap();
    assert_eq!((met(&bench), stale(&bench)), (balanced(), 0));
    control.beat(LONG_AGO_NS).unwrap();
    assert_eq!((met(&bench), stale(&bench)), (left_alone(), 3));
    plane.beat().unwrap();
    assert_eq!((met(&bench), stale(&bench)), (balanced(), 3));
}

#[test]
fn without_a_lease_silence_changes_nothing() {
    let (bench, _plane) = ready(Duration::ZERO);
    Control::open(&bench.pins()).unwrap().beat(LONG_AGO_NS).unwrap();
    assert_eq!((met(&bench), stale(&bench)), (balanced(), 0));
}

#[test]
fn an_agent_that_starts_begins_its_lease_with_a_beat() {
    let (bench, plane) = ready(LEASE);
    Control::open(&bench.pins()).unwrap().beat(LONG_AGO_NS).unwrap();
    drop(plane);
    let config = Config { lease: LEASE, ..bench.config() };
    let _plane = DataPlane::start(config, None).unwrap();
    assert_eq!(met(&bench), balanced());
}
