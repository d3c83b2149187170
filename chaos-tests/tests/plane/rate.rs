//! A thousand changes a second for a minute, under traffic: every connect reaches an endpoint that is a member, or was one
//! when the connect began. Somebody who goes is none from the moment at which the data plane is told.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use evermesh_loader::DataPlane;
use evermesh_model::{Changes, Snapshot, Workload, WorkloadUid};

use crate::{
    bench::{Bench, PORT, TARGET, VIP4, VIP6, inside, key, service_at},
    listeners::make_local,
    picks::start,
};

const CHANGES: u32 = 60_000;
/// One endpoint goes and one comes in so much time; a machine that is too slow for that takes longer for all.
const EVERY_TWO: Duration = Duration::from_millis(2);
const WORKLOADS: u8 = 100;
/// So many stand behind the service at a time.
const MEMBERS: u8 = 50;
/// A batch for one barrier.
const RECLAIM_EVERY: u32 = 100;
const STALE_AT_MOST: Duration = Duration::from_millis(100);
/// An answer that comes later is a failure.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says which workload a new flow has reached.
type Ask = fn() -> io::Result<u8>;

const WAYS: [(&str, Ask); 5] = [
    ("TCP over IPv4", || by_tcp(VIP4)),
    ("TCP over IPv6", || by_tcp(VIP6)),
    ("connected UDP over IPv4", || by_connected_udp(VIP4)),
    ("connected UDP over IPv6", || by_connected_udp(VIP6)),
    ("unconnected UDP over IPv4", by_unconnected_udp),
];

/// When each workload left, in nanoseconds since the beginning; [`MEMBER`]: it did not.
struct Left(Instant, Vec<AtomicU64>);

const MEMBER: u64 = u64::MAX;

impl Left {
    fn new() -> Self {
        let member = |n| AtomicU64::new(if n < MEMBERS { MEMBER } else { 0 });
        Self(Instant::now(), (0..WORKLOADS).map(member).collect())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap()
    }

    fn set(&self, workload: u8, left: u64) {
        self.1[usize::from(workload)].store(left, Ordering::SeqCst);
    }

    /// How long it had been gone when a connect began that reached it.
    fn staleness(&self, workload: u8, began: u64) -> Duration {
        let left = self.1[usize::from(workload)].load(Ordering::SeqCst);
        Duration::from_nanos(began.saturating_sub(left))
    }
}

#[derive(Debug, Default)]
struct Outcome {
    connects: u64,
    failures: Vec<String>,
    stalest: Duration,
}

#[test]
fn a_thousand_changes_a_second_are_not_noticed() {
    let bench = Bench::new();
    make_local(&bench.client, &["10.99.0.0/24", "fd00:99::/64"]);
    // Without it no socket is bound to an IPv6 address that only a route makes local.
    let mut any = Command::new("sh");
    any.args(["-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind"]);
    bench.client.run(any).unwrap();
    let first = (0..MEMBERS).map(workload);
    let snapshot = Snapshot::new([service_at(key(), &[VIP4, VIP6])], first, []).unwrap();
    let mut plane = start(&bench, Some(&snapshot));
    bench.enrol(&bench.client);
    let (left, stop) = (Left::new(), AtomicBool::new(false));
    let (changes, outcomes) = inside(&bench, &bench.client, || {
        listen();
        thread::scope(|scope| {
            let (left, stop) = (&left, &stop);
            let clients = WAYS.map(|(_, ask)| scope.spawn(move || connect_all_the_time(ask, left, stop)));
            let changes = change_all_the_time(&mut plane, snapshot, left);
            stop.store(true, Ordering::SeqCst);
            (changes, clients.map(|client| client.join().unwrap()))
        })
    });
    let took = left.0.elapsed();
    println!("{changes} changes in {took:?}, {:.0} a second", f64::from(changes) / took.as_secs_f64());
    assert!(changes >= CHANGES, "{changes} changes");
    for ((way, _), outcome) in WAYS.iter().zip(&outcomes) {
        println!("{way}: {} connects, stalest pick {:?}", outcome.connects, outcome.stalest);
        assert_eq!(outcome.failures, Vec::<String>::new(), "{way}");
        assert!(outcome.stalest <= STALE_AT_MOST, "{way}: {:?}", outcome.stalest);
        assert!(outcome.connects > 2_000, "{way}: {outcome:?}");
    }
}

/// The oracle sees a table that lags behind.
#[test]
fn a_pick_of_somebody_long_gone_is_noticed() {
    let left = Left::new();
    assert_eq!(left.staleness(0, 5_000_000_000), Duration::ZERO);
    left.set(0, 1_000_000_000);
    assert_eq!(left.staleness(0, 1_200_000_000), Duration::from_millis(200));
}

fn addresses(n: u8) -> [IpAddr; 2] {
    [Ipv4Addr::new(10, 99, 0, n).into(), Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0, 0, 0, n.into()).into()]
}

fn workload(n: u8) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/{n}")),
        name: n.to_string().into(),
        namespace: "demo".into(),
        addresses: addresses(n).to_vec().into(),
        services: [(key(), Default::default())].into(),
        ..Workload::default()
    }
}

/// One endpoint goes, another one comes. How many did.
fn change_all_the_time(plane: &mut DataPlane, mut snapshot: Snapshot, left: &Left) -> u32 {
    let mut changes = 0;
    let began = Instant::now();
    let (mut goes, mut comes) = (0, MEMBERS);
    for done in 1..=CHANGES / 2 {
        left.set(comes, MEMBER);
        let uid = |n: u8| WorkloadUid::new(format!("demo/{n}"));
        let workloads = vec![(uid(goes), None), (uid(comes), Some(Arc::new(workload(comes))))];
        snapshot = snapshot.with(Changes { workloads, ..Changes::default() }).unwrap();
        left.set(goes, left.now());
        plane.apply(&snapshot).unwrap();
        changes += 2;
        (goes, comes) = ((goes + 1) % WORKLOADS, (comes + 1) % WORKLOADS);
        if done.is_multiple_of(RECLAIM_EVERY) {
            plane.reclaim().unwrap();
        }
        thread::sleep((EVERY_TWO * done).saturating_sub(began.elapsed()));
    }
    changes
}

fn connect_all_the_time(ask: Ask, left: &Left, stop: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    while !stop.load(Ordering::SeqCst) {
        let began = left.now();
        match ask() {
            Ok(workload) => outcome.stalest = outcome.stalest.max(left.staleness(workload, began)),
            Err(error) => outcome.failures.push(error.to_string()),
        }
        outcome.connects += 1;
    }
    outcome
}

fn at(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), PORT)
}

fn by_tcp(ip: &str) -> io::Result<u8> {
    let mut stream = TcpStream::connect_timeout(&at(ip), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut who = [0];
    stream.read_exact(&mut who)?;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(who[0])
}

fn by_connected_udp(ip: &str) -> io::Result<u8> {
    let socket = UdpSocket::bind(if at(ip).is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    socket.connect(at(ip))?;
    socket.send(&[0])?;
    answer(&socket)
}

fn by_unconnected_udp() -> io::Result<u8> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(&[0], at(VIP4))?;
    answer(&socket)
}

fn answer(socket: &UdpSocket) -> io::Result<u8> {
    let mut who = [0];
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.recv_from(&mut who)?;
    Ok(who[0])
}

/// Each workload says by UDP who it is, and one listener by TCP for all of them, for as long as the process lives.
fn listen() {
    let listener = TcpListener::bind(("::", TARGET)).unwrap();
    thread::spawn(move || say_who_was_reached(&listener));
    for (n, address) in (0..WORKLOADS).flat_map(|n| addresses(n).map(|address| (n, address))) {
        let socket = UdpSocket::bind((address, TARGET)).unwrap();
        thread::spawn(move || {
            while let Ok((_, client)) = socket.recv_from(&mut [0]) {
                // A client that is gone does not want to know.
                let _ = socket.send_to(&[n], client);
            }
        });
    }
}

fn say_who_was_reached(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        if let Ok(at) = stream.local_addr() {
            let last = match at.ip().to_canonical() {
                IpAddr::V4(v4) => v4.octets()[3],
                IpAddr::V6(v6) => v6.octets()[15],
            };
            // A client that is gone already has what it wanted.
            let _ = stream.write_all(&[last]);
        }
    }
}
