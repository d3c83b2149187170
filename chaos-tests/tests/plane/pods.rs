//! Pods are enrolled and removed while `enrolled` is carried over into another map.

use std::{
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use evermesh_abi::control::{PHASE_STEADY, PHASE_SUSPENDED};
use evermesh_chaos_tests::{binaries, pod::Pod};
use evermesh_loader::{Config, DataPlane, How, Started, TableSizes};
use evermesh_pins::{Control, ControlError, Enrolment, EnrolmentError, PodMap, Table};

use crate::bench::{Bench, PORT, SIZES, VIP4, inside};

const SMALL: u32 = 64;
const LARGE: u32 = 256;

fn config(bench: &Bench, pods: u32) -> Config {
    Config { sizes: TableSizes { pods, ..SIZES }, ..bench.config() }
}

fn start(bench: &Bench, pods: u32) -> (DataPlane, Started) {
    DataPlane::start(config(bench, pods), Some(&bench.mesh(2))).unwrap()
}

fn on_trial(bench: &Bench, pods: u32) -> DataPlane {
    let (plane, started) = start(bench, pods);
    assert!(started.on_trial(), "{started:?}");
    plane
}

fn enrolment(bench: &Bench) -> Enrolment {
    Enrolment::open(&bench.pins()).unwrap()
}

fn names(bench: &Bench) -> Vec<String> {
    enrolment(bench).list().unwrap().into_iter().map(|pod| pod.name).collect()
}

fn room(bench: &Bench) -> u32 {
    PodMap::open(&bench.pins().frozen_map(Table::Enrolled)).unwrap().room()
}

fn phase(bench: &Bench) -> u64 {
    Control::open(&bench.pins()).unwrap().phase().unwrap()
}

fn answers(bench: &Bench, pod: &Pod) -> bool {
    let service = SocketAddr::new(VIP4.parse().unwrap(), PORT);
    inside(bench, pod, || TcpStream::connect_timeout(&service, Duration::from_millis(500)).is_ok())
}

fn is_suspended(error: &EnrolmentError) -> bool {
    matches!(error, EnrolmentError::Control(ControlError::Phase { phase: PHASE_SUSPENDED }))
}

#[test]
fn pods_that_are_added_and_removed_meanwhile_wait_for_the_map_that_stays() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    for (pods, stays) in [(LARGE, false), (LARGE, true), (SMALL, true)] {
        bench.enrol(&bench.client);
        bench.enrol(&bench.web[0]);
        let mut plane = on_trial(&bench, pods);
        assert!(answers(&bench, &bench.client), "the new generation knows the pods");
        let hasty = enrolment(&bench).with_patience(Duration::ZERO);
        assert!(is_suspended(&hasty.remove("client").unwrap_err()));
        assert_eq!((phase(&bench), names(&bench)), (PHASE_SUSPENDED, vec!["client".into(), "web-1".into()]));
        thread::scope(|scope| {
            scope.spawn(|| bench.enrol(&bench.web[1]));
            scope.spawn(|| enrolment(&bench).remove("web-1").unwrap());
            if stays { plane.commit().unwrap() } else { plane.roll_back("a test").unwrap() }
        });
        assert_eq!((phase(&bench), names(&bench)), (PHASE_STEADY, vec!["client".into(), "web-2".into()]));
        assert_eq!(room(&bench), if stays { pods } else { SMALL });
        assert!(answers(&bench, &bench.web[1]) && !answers(&bench, &bench.web[0]));
        enrolment(&bench).remove("web-2").unwrap();
    }
}

/// Whatever comes between a writer's look and its write.
#[test]
fn what_a_writer_has_done_stays_done_however_often_the_map_changes() {
    const CHANGES: u32 = 6;
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    let ended = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let (bench, ended) = (&bench, &ended);
        let write = |pod| {
            scope.spawn(move || {
                let mut rounds = 0;
                while !ended.load(Ordering::Relaxed) {
                    write_and_look(bench, pod);
                    rounds += 1;
                }
                rounds
            })
        };
        let writers: Vec<_> = bench.web.iter().map(write).collect();
        for change in 0..CHANGES {
            let mut plane = on_trial(bench, [LARGE, SMALL][change as usize / 2 % 2]);
            if change % 2 == 0 { plane.roll_back("a test").unwrap() } else { plane.commit().unwrap() }
        }
        ended.store(true, Ordering::Relaxed);
        writers.into_iter().map(|writer| writer.join().unwrap()).sum::<u32>()
    });
    println!("{written} rounds of writers");
    assert!(written > CHANGES && names(&bench).is_empty());
}

fn write_and_look(bench: &Bench, pod: &Pod) {
    let enrolled = || names(bench).contains(&pod.name().to_owned());
    bench.enrol(pod);
    assert!(enrolled(), "{} is lost", pod.name());
    enrolment(bench).remove(pod.name()).unwrap();
    assert!(!enrolled(), "{} is resurrected", pod.name());
}

#[test]
fn a_sentinel_is_enrolled_in_both_maps_and_leaves_neither_behind_it() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    let sentinel = Some(binaries::find("evermesh-plane").unwrap());
    for (pods, stays) in [(LARGE, false), (LARGE, true)] {
        let config = Config { sentinel: sentinel.clone(), ..config(&bench, pods) };
        let (mut plane, started) = DataPlane::start(config, Some(&bench.mesh(2))).unwrap();
        assert!(started.on_trial(), "{started:?}");
        let seen = plane.report().unwrap().unwrap().sentinels.unwrap();
        assert_eq!((seen.failed, seen.example), (0, None));
        assert_eq!(names(&bench), [evermesh_sentinel::NAME]);
        if stays {
            plane.commit().unwrap()
        } else {
            plane.roll_back("a test").unwrap()
        }
        assert_eq!(names(&bench), Vec::<String>::new());
    }
}

#[test]
fn a_map_that_would_not_hold_the_pods_keeps_its_size() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    bench.web.iter().chain([&bench.client]).for_each(|pod| bench.enrol(pod));
    let (plane, started) = start(&bench, 3);
    assert_eq!((plane.generation(), &started.how, room(&bench)), (1, &How::Adopted, SMALL));
    assert_eq!(
        started.notes,
        ["enrolled stays at 64 entries: 3 pods are enrolled, and 3 are room for 0 only"]
    );
    drop(plane);
    on_trial(&bench, 4).commit().unwrap();
    assert_eq!((room(&bench), names(&bench).len()), (4, 3));
}

#[test]
fn a_start_lets_go_on_who_waits_for_an_agent_that_is_gone() {
    let bench = Bench::new();
    drop(start(&bench, SMALL));
    drop(on_trial(&bench, LARGE));
    assert_eq!(phase(&bench), PHASE_SUSPENDED);
    let waited = "a change of enrolled was interrupted: whoever waited to write it goes on";
    for _ in 0..2 {
        let (plane, started) = thread::scope(|scope| {
            scope.spawn(|| bench.enrol(&bench.client));
            start(&bench, SMALL)
        });
        assert_eq!((plane.generation(), &started.how), (1, &How::Adopted));
        assert!(started.notes.iter().any(|note| note == waited), "{:?}", started.notes);
        assert_eq!((phase(&bench), names(&bench)), (PHASE_STEADY, vec!["client".to_owned()]));
        drop(plane);
        Control::open(&bench.pins()).unwrap().set_phase(PHASE_SUSPENDED).unwrap();
    }
}
