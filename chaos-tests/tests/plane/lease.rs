//! A node whose agent is silent for too long leaves new flows alone.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use evermesh_loader::{Config, DataPlane};
use evermesh_model::{Balancing, Snapshot};
use evermesh_pins::Control;

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
    bench.counted("stale")
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

/// Nobody says any more whether its endpoint is there, and the next datagram can go elsewhere without a loss.
#[test]
fn unconnected_udp_is_left_alone_from_its_next_datagram_on() {
    let (bench, plane) = ready(LEASE);
    let control = Control::open(&bench.pins()).unwrap();
    plane.beat().unwrap();
    let target = SocketAddr::new(VIP4.parse().unwrap(), PORT);
    inside(&bench, &bench.client, || {
        let bound = |at: SocketAddr| {
            let socket = UdpSocket::bind(at).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            socket
        };
        let endpoint = bound(SocketAddr::new("10.250.0.1".parse().unwrap(), TARGET));
        let itself = bound(target);
        let client = bound("0.0.0.0:0".parse().unwrap());
        let arrives_at = |server: &UdpSocket| {
            client.send_to(b"ask", target).unwrap();
            let (_, from) = server.recv_from(&mut [0; 8]).unwrap();
            server.send_to(b"answer", from).unwrap();
            assert_eq!(client.recv_from(&mut [0; 8]).unwrap().1, target);
        };
        arrives_at(&endpoint);
        control.beat(LONG_AGO_NS).unwrap();
        arrives_at(&itself);
        plane.beat().unwrap();
        arrives_at(&endpoint);
    });
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
