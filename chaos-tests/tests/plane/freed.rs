//! What a change has freed is used again when no program run can hold it any more, and once.

use std::net::IpAddr;

use evermesh_model::{Snapshot, Workload, WorkloadUid};

use crate::bench::{Bench, PORT, TARGET, VIP4, key, service_at};

/// So many workloads behind one service, at addresses of their own in each round.
fn mesh(count: u8, round: u8) -> Snapshot {
    let workload = |n: u8| Workload {
        uid: WorkloadUid::new(format!("demo/{round}-{n}")),
        addresses: vec![IpAddr::from([10, 0, round, n])].into(),
        services: [(key(), [(PORT, TARGET)].into())].into(),
        ..Workload::default()
    };
    Snapshot::new([service_at(key(), &[VIP4])], (0..count).map(workload), []).unwrap()
}

/// Debug builds look at the tables after every change.
#[test]
fn what_was_freed_before_the_tables_were_read_anew_is_not_given_back_twice() {
    let bench = Bench::new();
    let (mut plane, _) = bench.start(Some(&mesh(8, 0)));
    plane.apply(&mesh(8, 1)).unwrap();
    let freed = plane.freed().unwrap();
    assert!(plane.freed().is_none());
    plane.audit().unwrap();
    // Takes what was freed.
    plane.apply(&mesh(16, 1)).unwrap();
    plane.reuse(freed.wait().unwrap());
    // Would take it again.
    let applied = plane.apply(&mesh(32, 1)).unwrap();
    assert_eq!(applied.endpoints, 32, "{applied:?}");
    assert_eq!(plane.audit().unwrap().writes, 0);
}

/// Otherwise the next change would wait for it.
#[test]
fn what_a_reading_of_the_tables_has_found_to_be_free_is_waited_for_elsewhere_too() {
    let bench = Bench::new();
    drop(bench.start(Some(&mesh(8, 0))));
    let (mut plane, _) = bench.start(Some(&mesh(8, 0)));
    for _ in 0..2 {
        let freed = plane.freed().unwrap();
        assert!(plane.freed().is_some(), "not yet");
        plane.reuse(freed.wait().unwrap());
        assert!(plane.freed().is_none());
        plane.audit().unwrap();
    }
}
