//! Whoever removes a release is killed, and another one, whose frozen maps have other layouts, starts over what is left of them.

use evermesh_chaos_tests::{faults::random, oracle::Verdict};
use evermesh_pins::{Enrolment, Inventory, Table, layout::Kernel};
use rand::RngExt;

use crate::{
    all,
    plane::{Kind, Plane, Run, Task},
    strace::{Call, calls, disturbed},
    survival::Survival,
};

const OTHER: &str = "evermesh-plane-layouts";
/// How many moments of that start are tried where not all are asked for.
const SAMPLE: usize = 2;

#[test]
fn a_first_start_over_what_is_left_of_another_release_takes_it_over_wherever_it_is_cut_off() {
    let plane = Plane::new(Kind::Table);
    let pods = enrolled(&plane);
    let uninstall = calls(&plane, &plane.uninstall());
    let removes = |call: &&Call| call.name.starts_with("unlink") && call.line.contains("/frozen/");
    let frozen: Vec<&Call> = uninstall.iter().filter(removes).collect();
    let mut random = random(17);

    leave(&plane, frozen[0]);
    assert_eq!(left(&plane), Table::FROZEN);
    let moments = first_start(&plane, None).finished().moments.len();
    taken_over(&plane, &pods, "at once");
    assert_eq!(plane.under_traffic(Vec::new).verdict(), Verdict::Clean);
    remove(&plane);

    let cuts: Vec<usize> = match all() {
        true => (0..moments).collect(),
        false => (0..SAMPLE).map(|_| random.random_range(0..moments)).collect(),
    };
    let partly = if all() { &frozen[1..] } else { &frozen[1..][..1] };
    let planned = cuts.iter().map(|_| "cut off").chain(partly.iter().map(|_| "partly removed"));
    let mut survival = Survival::of(planned);
    for &at in &cuts {
        leave(&plane, frozen[0]);
        let cut = first_start(&plane, Some(at)).cut_off();
        first_start(&plane, None).finished();
        taken_over(&plane, &pods, cut.moments.last().unwrap());
        remove(&plane);
        survival.survived("cut off");
    }
    for call in partly {
        leave(&plane, call);
        let enrolled = left(&plane).contains(&Table::Enrolled);
        first_start(&plane, None).finished();
        taken_over(&plane, if enrolled { &pods } else { &[] }, &call.line);
        remove(&plane);
        survival.survived("partly removed");
    }
}

/// This release stands, and its removal is killed at that call.
fn leave(plane: &Plane, call: &Call) {
    if left(plane).is_empty() {
        plane.start();
        plane.enrol();
    }
    disturbed(plane, call, "signal=SIGKILL", &plane.uninstall());
    assert_eq!(Inventory::read(&plane.pins()).unwrap().generations.len(), 0, "no generation is left");
}

/// The frozen maps that stand there.
fn left(plane: &Plane) -> Vec<Table> {
    let inventory = Inventory::read(&plane.pins()).unwrap();
    Table::FROZEN.into_iter().filter(|table| inventory.frozen.contains_key(table)).collect()
}

fn first_start(plane: &Plane, end_at: Option<usize>) -> Run {
    plane.run_by(OTHER, Task { room: plane.kind.sizes()[0], then: "commit", end_at })
}

/// The later release runs over maps of its own layouts, and knows these pods.
fn taken_over(plane: &Plane, pods: &[String], when: &str) {
    plane.settled();
    let (inventory, mut kernel) = (Inventory::read(&plane.pins()).unwrap(), Kernel::default());
    for table in Table::BROUGHT {
        assert!(
            kernel.known(table, &inventory.frozen[&table].info).is_err(),
            "{table} is not the later release's"
        );
    }
    assert_eq!(enrolled(plane), pods, "{when}");
}

fn enrolled(plane: &Plane) -> Vec<String> {
    let mut names: Vec<_> =
        Enrolment::open(&plane.pins()).unwrap().list().unwrap().into_iter().map(|pod| pod.name).collect();
    names.sort();
    names
}

fn remove(plane: &Plane) {
    let done = plane.uninstall().output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
