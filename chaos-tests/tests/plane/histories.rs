//! Random histories of meshes in the kernel, beside the reference: while one thread changes the mesh, another connects all
//! the time and never meets what was right neither before the change nor after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::faults;
use evermesh_loader::{
    DataPlane, barrier,
    tables::{self, Change, Store, TableWriter},
};
use evermesh_model::{Place, Protocol, Snapshot};
use evermesh_pins::{Inventory, TablesView};
use evermesh_reference::{
    Answer, answer,
    history::{Mesh, NODE, Step, TARGET_PORTS, destinations},
};
use rand::RngExt;

use crate::{
    bench::{Bench, inside},
    listeners::{Listeners, Met, ask, make_local},
    picks::{NETWORKS, start},
};

const VIRTUAL_IPS: [&str; 2] = ["10.96.7.0/24", "fd00:96::7:0/112"];
const SERVICE_PORTS: [u16; 3] = [53, 80, 81];
const HISTORIES: u64 = 20;
const STEPS: usize = 60;

/// What may be met at each destination.
type Expected = BTreeMap<SocketAddr, BTreeSet<Met>>;

fn expected(mesh: &Snapshot) -> Expected {
    let place = Place::of_node(NODE, mesh);
    let by_tcp = destinations().filter(|(.., protocol)| *protocol == Protocol::Tcp);
    by_tcp
        .map(|(address, port, protocol)| {
            let met = match answer(mesh, &place, address, port, protocol) {
                Answer::LeftAlone => [Some((address, port))].into(),
                Answer::Refused => [None].into(),
                Answer::Led { endpoints, .. } => {
                    endpoints.iter().map(|one| Some((one.address, one.port))).collect()
                }
            };
            (SocketAddr::new(address, port), met)
        })
        .collect()
}

/// What was expected after each change, and how many of the changes are done.
struct Course {
    states: Mutex<Vec<Expected>>,
    settled: AtomicUsize,
    over: AtomicBool,
    met: AtomicU64,
    strangers: Mutex<Vec<String>>,
}

impl Course {
    fn new() -> Self {
        Self {
            states: Mutex::new(vec![expected(&Snapshot::default())]),
            settled: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            met: AtomicU64::new(0),
            strangers: Mutex::new(Vec::new()),
        }
    }

    /// From now on either state may be met, from the end of `change` on only the new one.
    fn change(&self, expected: Expected, change: impl FnOnce()) {
        let number = {
            let mut states = self.states.lock().unwrap();
            states.push(expected);
            states.len() - 1
        };
        change();
        self.settled.store(number, Ordering::SeqCst);
    }

    fn meet(&self, target: SocketAddr) {
        let from = self.settled.load(Ordering::SeqCst);
        let met = ask(target);
        let states = self.states.lock().unwrap();
        if !states[from..].iter().any(|expected| expected[&target].contains(&met)) {
            let allowed: Vec<_> = states[from..].iter().map(|expected| &expected[&target]).collect();
            self.strangers.lock().unwrap().push(format!("{target} led to {met:?}, not to {allowed:?}"));
        }
        self.met.fetch_add(1, Ordering::Relaxed);
    }

    fn meet_all_the_time(&self) {
        let targets: Vec<SocketAddr> = self.states.lock().unwrap()[0].keys().copied().collect();
        for &target in targets.iter().cycle() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            self.meet(target);
        }
    }

    /// Waits until whoever connects all the time has been everywhere.
    fn await_a_round(&self) {
        let round = 2 * self.states.lock().unwrap()[0].len() as u64;
        let enough = self.met.load(Ordering::Relaxed) + round;
        while self.met.load(Ordering::Relaxed) < enough {
            thread::yield_now();
        }
    }

    fn is_clean(&self) -> bool {
        self.strangers.lock().unwrap().is_empty()
    }
}

/// A node with nothing in its tables, and a client in it.
fn ready() -> (Bench, DataPlane) {
    let bench = Bench::new();
    make_local(&bench.client, &NETWORKS);
    make_local(&bench.client, &VIRTUAL_IPS);
    let plane = start(&bench, None);
    bench.enrol(&bench.client);
    (bench, plane)
}

/// Runs histories while connections are made; ends at the first stranger that is met, or when `patience` is over.
fn run(
    bench: &Bench,
    histories: u64,
    patience: Duration,
    mut apply: impl FnMut(&Snapshot, &Course) + Send,
) -> Course {
    let (course, began) = (Course::new(), Instant::now());
    inside(bench, &bench.client, || {
        let _listeners = Listeners::new(&[&TARGET_PORTS[..], &SERVICE_PORTS[..]].concat());
        thread::scope(|scope| {
            (0..2).for_each(|_| drop(scope.spawn(|| course.meet_all_the_time())));
            for mesh in (0..histories).flat_map(history) {
                if !course.is_clean() || began.elapsed() > patience {
                    break;
                }
                course.change(expected(&mesh), || apply(&mesh, &course));
                every_destination_is_right(&course);
            }
            course.over.store(true, Ordering::Relaxed);
        });
    });
    course
}

fn every_destination_is_right(course: &Course) {
    let targets: Vec<SocketAddr> = course.states.lock().unwrap()[0].keys().copied().collect();
    targets.into_iter().for_each(|target| course.meet(target));
}

/// The meshes of one history, from nothing.
fn history(seed: u64) -> Vec<Snapshot> {
    let (mut random, mut mesh) = (faults::random(seed), Mesh::default());
    let mut next = || {
        mesh.step(&Step::new(random.random(), random.random(), random.random()));
        mesh.snapshot().unwrap()
    };
    (0..STEPS).map(|_| next()).collect()
}

#[test]
fn whoever_connects_meets_what_the_reference_says() {
    let (bench, mut plane) = ready();
    let course = run(&bench, HISTORIES, Duration::from_mins(5), |mesh, _| {
        plane.apply(mesh).unwrap();
        plane.reclaim().unwrap();
    });
    let (met, strangers) = (course.met.into_inner(), course.strangers.into_inner().unwrap());
    println!("{met} connections");
    assert!(strangers.is_empty(), "{strangers:#?}");
    assert_eq!(holes(&bench), 0);
    assert!(met > 10_000, "{met} connections");
}

fn holes(bench: &Bench) -> u64 {
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let counters = TablesView::counters(&bench.pins(), 1, &inventory.generations[&1]).unwrap();
    counters.iter().find(|(name, _)| *name == "holes").unwrap().1
}

/// What a writer would do that has the service's word before the slots, and is held up between them.
#[test]
fn whoever_connects_notices_slots_that_come_too_late() {
    let (bench, plane) = ready();
    drop(plane);
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let generation = &inventory.generations[&1];
    let mut writer = TableWriter::new(|table| generation.tables.get(&table)).unwrap();
    let mut state = tables::adopt(&TablesView::open(&bench.pins(), 1, generation).unwrap());
    let course = run(&bench, HISTORIES, Duration::from_mins(2), |mesh, course| {
        let place = Place::of_node(NODE, mesh);
        let stores = tables::plan(&mut state, Change::everything(mesh, &place)).unwrap();
        let (slots, others): (Vec<_>, Vec<_>) =
            stores.into_iter().partition(|store| matches!(store, Store::Slot { .. }));
        writer.execute(&others).unwrap();
        course.await_a_round();
        writer.execute(&slots).unwrap();
        let retired = state.take_retired();
        barrier().unwrap();
        state.reuse(retired);
    });
    let strangers = course.strangers.into_inner().unwrap();
    println!("{strangers:?}");
    assert!(!strangers.is_empty());
}
