//! Random histories of meshes in the kernel, beside the reference: while one thread changes the mesh, another connects all
//! the time and never meets what was right neither before the change nor after it.

mod course;
mod thousands;

use std::{
    thread,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::faults;
use evermesh_loader::{
    DataPlane,
    tables::{self, Change, Store},
};
use evermesh_model::{Place, Protocol, Snapshot};
use evermesh_pins::sys::wait_for_programs;
use evermesh_reference::history::{Mesh, NODE, Step, TARGET_PORTS};
use rand::RngExt;

use crate::{
    bench::{Bench, inside},
    listeners::{Listeners, ask, make_local},
    picks::{NETWORKS, start},
};
use course::Course;

const VIRTUAL_IPS: [&str; 2] = ["10.96.7.0/24", "fd00:96::7:0/112"];
const SERVICE_PORTS: [u16; 3] = [53, 80, 81];
const HISTORIES: u64 = 20;
const STEPS: usize = 60;

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
    let (course, began) = (Course::new(Protocol::Tcp, bench.client.ipv4().into()), Instant::now());
    inside(bench, &bench.client, || {
        let _listeners = Listeners::new(&[&TARGET_PORTS[..], &SERVICE_PORTS[..]].concat());
        thread::scope(|scope| {
            let _end = course.ends_here();
            (0..2).for_each(|_| drop(scope.spawn(|| course.meet_all_the_time(ask))));
            for mesh in (0..histories).flat_map(|seed| history(seed, STEPS)) {
                if !course.is_clean() || began.elapsed() > patience {
                    break;
                }
                course.change(&mesh, || apply(&mesh, &course));
                course.targets().into_iter().for_each(|target| course.meet(target, ask(target)));
            }
        });
    });
    course
}

/// The meshes of one history, from nothing.
fn history(seed: u64, steps: usize) -> Vec<Snapshot> {
    let (mut random, mut mesh) = (faults::random(seed), Mesh::default());
    let mut next = || {
        mesh.step(&Step::new(random.random(), random.random(), random.random()));
        mesh.snapshot().unwrap()
    };
    (0..steps).map(|_| next()).collect()
}

#[test]
fn whoever_connects_meets_what_the_reference_says() {
    let (bench, mut plane) = ready();
    let course = run(&bench, HISTORIES, Duration::from_mins(5), |mesh, _| {
        plane.apply(mesh).unwrap();
        plane.reclaim().unwrap();
    });
    let (met, strangers) = (course.met(), course.strangers());
    println!("{met} connections");
    assert!(strangers.is_empty(), "{strangers:#?}");
    assert_eq!(bench.counted("holes"), 0);
    assert!(met > 10_000, "{met} connections");
}

/// What a writer would do that has the service's word before the slots, and is held up between them.
#[test]
fn whoever_connects_notices_slots_that_come_too_late() {
    let (bench, plane) = ready();
    drop(plane);
    let (mut state, mut writer) = bench.tables();
    let course = run(&bench, HISTORIES, Duration::from_mins(2), |mesh, course| {
        let place = Place::of_node(NODE, mesh);
        let stores = tables::plan(&mut state, Change::everything(mesh, &place)).unwrap();
        let (slots, others): (Vec<_>, Vec<_>) =
            stores.into_iter().partition(|store| matches!(store, Store::Slot { .. }));
        writer.execute(&others).unwrap();
        course.await_a_round();
        writer.execute(&slots).unwrap();
        let retired = state.take_retired();
        wait_for_programs().unwrap();
        state.reuse(retired);
    });
    let strangers = course.strangers();
    println!("{strangers:?}");
    assert!(!strangers.is_empty());
}
