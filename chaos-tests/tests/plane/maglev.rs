//! The same client keeps to the same endpoint; different clients spread out, each as the reference says.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
};

use evermesh_abi::{Address, Enrolled};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::{Algorithm, Balancing, Place, Protocol, Snapshot, Workload};
use evermesh_pins::{Enrolment, Inventory, Table, sys};
use evermesh_reference::{Answer, Maglev, answer};

use crate::{
    bench::{Bench, PORT, TARGET, VIP4, VIP6, inside},
    listeners::{Listeners, ask, make_local},
    picks::{NETWORKS, Picker, service, start, workload},
};

const CLIENTS: u32 = 1_000_000;

fn mesh(workloads: impl IntoIterator<Item = Workload>) -> Snapshot {
    let balancing = Balancing { algorithm: Algorithm::Maglev, ..Balancing::default() };
    Snapshot::new([service(balancing)], workloads, []).unwrap()
}

fn maglev(mesh: &Snapshot, target: SocketAddr) -> Maglev<'_> {
    match answer(mesh, &Place::default(), target.ip(), PORT, Protocol::Udp) {
        Answer::Led { endpoints, .. } => Maglev::of(&endpoints).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn at(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), PORT)
}

/// The only enrolled pod, which takes other addresses for its own.
struct Disguise {
    enrolled: OwnedFd,
    cookie: u64,
    value: Enrolled,
}

impl Disguise {
    fn new(bench: &Bench) -> Self {
        let mut inventory = Inventory::read(&bench.pins()).unwrap();
        let enrolled = inventory.frozen.remove(&Table::Enrolled).unwrap().fd;
        let cookie = Enrolment::open(&bench.pins()).unwrap().list().unwrap()[0].cookie.0;
        let value = sys::map_lookup(enrolled.as_fd(), &cookie).unwrap().unwrap();
        Self { enrolled, cookie, value }
    }

    fn take(&mut self, client: IpAddr) {
        let ipv4 = client.is_ipv4().then_some(client).map(Address::from).unwrap_or_default();
        let ipv6 = if client.is_ipv4() { Address::default() } else { client.into() };
        self.value = Enrolled { ipv4, ipv6, ..self.value };
        sys::map_update(self.enrolled.as_fd(), &self.cookie, &self.value).unwrap();
    }
}

/// Of a large cluster: each node a network, and some with IPv6 only.
fn client(n: u32) -> IpAddr {
    match n % 10 {
        0 => Ipv6Addr::from_bits(0xfd00_0244 << 96 | u128::from(n)).into(),
        _ => Ipv4Addr::from_bits(0x0af4_0000 + n).into(),
    }
}

#[test]
fn each_of_a_million_clients_is_led_to_its_endpoint() {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let mesh = mesh((1..=10).map(|n| Workload { capacity: 1 + u32::from(n % 2), ..workload(n) }));
    let _plane = start(&bench, Some(&mesh));
    bench.enrol(&bench.client);
    let (maglev, mut disguise) = (maglev(&mesh, at(VIP4)), Disguise::new(&bench));
    let mut shares = [0u32; 11];
    inside(&bench, &bench.client, || {
        let picker = Picker::new(&bench, at(VIP4));
        for client in (0..CLIENTS).map(client) {
            disguise.take(client);
            let wanted = maglev.pick(client);
            assert_eq!(picker.pick(), (wanted.address, wanted.port), "client {client}");
            shares[usize::from(last_byte(wanted.address))] += 1;
        }
    });
    for (n, share) in (1..).zip(&shares[1..]) {
        let fair = CLIENTS / 15 * (1 + n % 2);
        assert!(share.abs_diff(fair) < fair / 50, "{share} of {CLIENTS} are with {n}, not {fair}");
    }
}

/// Each client's endpoint, as the kernel picks it.
fn picks(bench: &Bench, clients: u32) -> Vec<u8> {
    let mut disguise = Disguise::new(bench);
    inside(bench, &bench.client, || {
        let picker = Picker::new(bench, at(VIP4));
        let mut pick = |client| {
            disguise.take(client);
            last_byte(picker.pick().0)
        };
        (0..clients).map(|n| pick(client(n))).collect()
    })
}

#[test]
fn one_of_a_hundred_that_is_replaced_moves_under_four_percent_of_the_clients() {
    const SAMPLE: u32 = 200_000;
    const GONE: u8 = 42;
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let before = mesh((1..=100).map(workload));
    let (mut plane, _) =
        DataPlane::start(Config { sizes: TableSizes::DEFAULT, ..bench.config() }, Some(&before)).unwrap();
    bench.enrol(&bench.client);
    let was = picks(&bench, SAMPLE);
    plane.apply(&mesh((1..=101).filter(|n| *n != GONE).map(workload))).unwrap();
    let is = picks(&bench, SAMPLE);
    assert!(!is.contains(&GONE));
    let moved = was.iter().zip(&is).filter(|(was, is)| was != is).count();
    let orphaned = was.iter().filter(|was| **was == GONE).count();
    println!("{moved} of {SAMPLE} clients moved, {orphaned} of them from the one that went");
    assert!(orphaned > 0 && moved < 4 * was.len() / 100, "{moved} of {SAMPLE} moved");
}

/// By TCP and UDP, over both families: the workload whose endpoint that is.
fn workloads_met(bench: &Bench) -> Vec<u8> {
    inside(bench, &bench.client, || {
        let _listeners = Listeners::new(&[TARGET]);
        let everywhere = [at(VIP4), at(VIP6), at("::ffff:10.96.0.10")];
        let met = everywhere.iter().flat_map(|&target| {
            let picker = Picker::new(bench, target);
            [ask(target).unwrap(), picker.pick(), picker.pick()]
        });
        met.map(|(address, _)| last_byte(address)).collect()
    })
}

fn last_byte(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(v6) => v6.octets()[15],
    }
}

#[test]
fn a_client_keeps_to_its_endpoint() {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    let all = mesh((1..=10).map(workload));
    let plane = start(&bench, Some(&all));
    bench.enrol(&bench.client);
    let own = last_byte(maglev(&all, at(VIP4)).pick(bench.client.ipv4().into()).address);
    let keeps = |when: &str| assert_eq!(workloads_met(&bench), [own; 9], "{when}");
    keeps("at first");
    drop(plane);
    let mut plane = start(&bench, Some(&all));
    keeps("after a restart");
    plane.change_generation().unwrap();
    keeps("after a change of generation");
    let other = (1..=10).find(|n| *n != own).unwrap();
    let fewer = mesh((1..=10).filter(|n| *n != other).map(workload));
    plane.apply(&fewer).unwrap();
    let now = last_byte(maglev(&fewer, at(VIP4)).pick(bench.client.ipv4().into()).address);
    assert_eq!(workloads_met(&bench), [now; 9], "after another endpoint has gone");
}
