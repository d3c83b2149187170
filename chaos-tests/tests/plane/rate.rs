//! A thousand changes a second for a minute, under traffic: every connect reaches an endpoint that is a member, or was one
//! when the connect began.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
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

use crate::bench::{Bench, PORT, TARGET, VIP4, inside, key, service_at};

const CHANGES: u32 = 60_000;
/// One endpoint goes and one comes in so much time; a machine that is too slow for that takes longer for all.
const EVERY_TWO: Duration = Duration::from_millis(2);
const WORKLOADS: u8 = 100;
/// So many stand behind the service at a time.
const MEMBERS: u8 = 50;
/// A batch for one barrier.
const RECLAIM_EVERY: u32 = 100;
const STALE_AT_MOST: Duration = Duration::from_millis(100);

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
    let mut route = Command::new("ip");
    route.args(["route", "add", "local", "10.99.0.0/24", "dev", "lo"]);
    bench.client.run(route).unwrap();
    let first = (0..MEMBERS).map(workload);
    let snapshot = Snapshot::new([service_at(key(), &[VIP4])], first, []).unwrap();
    let (mut plane, _) = bench.start(Some(&snapshot));
    bench.enrol(&bench.client);
    let (left, stop) = (Left::new(), AtomicBool::new(false));
    let outcome = inside(&bench, &bench.client, || {
        let listener = TcpListener::bind(("0.0.0.0", TARGET)).unwrap();
        thread::spawn(move || say_who_was_reached(&listener));
        thread::scope(|scope| {
            let client = scope.spawn(|| connect_all_the_time(&left, &stop));
            change_all_the_time(&mut plane, snapshot, &left);
            stop.store(true, Ordering::SeqCst);
            client.join().unwrap()
        })
    });
    println!(
        "{CHANGES} changes in {:?}, {} connects, stalest pick {:?}",
        left.0.elapsed(),
        outcome.connects,
        outcome.stalest
    );
    assert_eq!(outcome.failures, Vec::<String>::new());
    assert!(outcome.stalest <= STALE_AT_MOST, "{:?}", outcome.stalest);
    assert!(outcome.connects > 10_000, "{outcome:?}");
}

/// The oracle sees a table that lags behind.
#[test]
fn a_pick_of_somebody_long_gone_is_noticed() {
    let left = Left::new();
    assert_eq!(left.staleness(0, 5_000_000_000), Duration::ZERO);
    left.set(0, 1_000_000_000);
    assert_eq!(left.staleness(0, 1_200_000_000), Duration::from_millis(200));
}

fn address(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, n)
}

fn workload(n: u8) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/{n}")),
        name: n.to_string().into(),
        namespace: "demo".into(),
        addresses: vec![IpAddr::V4(address(n))].into(),
        services: [(key(), Default::default())].into(),
        ..Workload::default()
    }
}

/// One endpoint goes, another one comes.
fn change_all_the_time(plane: &mut DataPlane, mut snapshot: Snapshot, left: &Left) {
    let began = Instant::now();
    let (mut goes, mut comes) = (0, MEMBERS);
    for done in 1..=CHANGES / 2 {
        left.set(comes, MEMBER);
        let uid = |n: u8| WorkloadUid::new(format!("demo/{n}"));
        let workloads = vec![(uid(goes), None), (uid(comes), Some(Arc::new(workload(comes))))];
        snapshot = snapshot.with(Changes { workloads, ..Changes::default() }).unwrap();
        plane.apply(&snapshot).unwrap();
        left.set(goes, left.now());
        (goes, comes) = ((goes + 1) % WORKLOADS, (comes + 1) % WORKLOADS);
        if done.is_multiple_of(RECLAIM_EVERY) {
            plane.reclaim().unwrap();
        }
        thread::sleep((EVERY_TWO * done).saturating_sub(began.elapsed()));
    }
}

fn connect_all_the_time(left: &Left, stop: &AtomicBool) -> Outcome {
    let mut outcome = Outcome::default();
    while !stop.load(Ordering::SeqCst) {
        let began = left.now();
        match who_answers() {
            Ok(workload) => outcome.stalest = outcome.stalest.max(left.staleness(workload, began)),
            Err(error) => outcome.failures.push(error.to_string()),
        }
        outcome.connects += 1;
    }
    outcome
}

fn who_answers() -> std::io::Result<u8> {
    let service = SocketAddr::new(VIP4.parse().unwrap(), PORT);
    let mut stream = TcpStream::connect(service)?;
    let mut who = [0];
    stream.read_exact(&mut who)?;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(who[0])
}

fn say_who_was_reached(listener: &TcpListener) {
    for mut stream in listener.incoming().flatten() {
        if let Ok(SocketAddr::V4(at)) = stream.local_addr() {
            // A client that is gone already has what it wanted.
            drop(stream.write_all(&at.ip().octets()[3..]));
        }
    }
}
