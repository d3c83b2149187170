//! The control plane is gone, and the mesh works.

use std::{
    fs,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::{
    faults::Fault,
    istiod::Config,
    oracle::Verdict,
    stage::config::{HTTP, WEB},
};

use crate::rig::{RELEASES, uid, with_rig, workload};

const RESTARTS: u32 = 50;
/// By the wall clock, between one restart and the next: a day and ten minutes in all.
const BETWEEN: Duration = Duration::from_mins(29);
const DAY: Duration = Duration::from_hours(24);
/// Within it, counted from the day's end: the last ten minutes, and what the test itself takes.
const LATE_MAX: Duration = Duration::from_mins(30);

#[test]
fn a_day_and_fifty_restarts_without_a_control_plane_go_unnoticed_and_it_is_caught_up_with() {
    with_rig(Config::default(), &[], |rig| {
        let report = rig.under_traffic(|rig| {
            rig.istiod.stop();
            let ways = [Fault::KillSupervisor, Fault::KillAgent, Fault::KillBoth];
            let later = |(number, fault): (u32, Fault)| {
                rig.mesh.set_clock_ahead(BETWEEN * number)?;
                fault.inflict(&mut rig.mesh)
            };
            (1..=RESTARTS).zip(ways.into_iter().cycle()).map(later).collect()
        });
        println!("{report}");
        assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, RESTARTS as usize), "{report}");
        let link = rig.mesh.control_plane().unwrap().unwrap();
        assert_eq!(link.phase, "lost", "{link:?}");
        let age = Duration::from_millis(link.synced_age_ms.unwrap());
        assert!((DAY..DAY + LATE_MAX).contains(&age), "{age:?}: {link:?}");
        assert_eq!(rig.writes(), 0, "a restart had nothing to write");
        rig.istiod.remove(&uid(&rig.stage.web[0]));
        rig.istiod.start_again().unwrap();
        rig.await_members(&[1, 2]);
        // A record less of each family and port, the words, and the marks: nothing of the others.
        assert!(rig.writes() <= 3 * 6, "{} writes", rig.writes());
        let link = rig.await_link("what it says", |link| link.phase == "connected" && link.acks >= 2);
        assert!(link.synced_age_ms.unwrap() < 60_000, "{link:?}");
        rig.istiod.put(workload(&rig.stage.web[0]));
        rig.await_members(&[0, 1, 2]);
    });
}

/// As after a reboot.
#[test]
fn a_node_whose_kernel_knows_nothing_starts_from_its_disk() {
    for release in RELEASES {
        with_rig(Config { release, ..Config::default() }, &[], |rig| {
            rig.istiod.stop();
            rig.mesh.interrupt().unwrap();
            rig.mesh.uninstall().unwrap();
            let began = Instant::now();
            rig.mesh.restart().unwrap();
            rig.await_members(&[0, 1, 2]);
            println!("{release:?}: tables after {:?}", began.elapsed());
            rig.stage.enrolled().try_for_each(|pod| rig.mesh.pod_add(pod)).unwrap();
            rig.stage.client.fetch((WEB[0].parse::<std::net::IpAddr>().unwrap(), HTTP.port).into()).unwrap();
        });
    }
}

/// Without the database the record of everything serves; without both the kernel's tables stay as they are.
#[test]
fn a_database_that_is_damaged_is_moved_away_and_traffic_goes_on() {
    with_rig(Config::default(), &[], |rig| {
        rig.istiod.stop();
        rig.mesh.interrupt().unwrap();
        let database = rig.sandbox.state_dir().join("xds").join("db");
        let mut bytes = fs::read(&database).unwrap();
        bytes.iter_mut().for_each(|byte| *byte ^= 0xaa);
        fs::write(&database, &bytes).unwrap();
        rig.mesh.restart().unwrap();
        rig.await_members(&[0, 1, 2]);
        assert_eq!(rig.writes(), 0);
        let notes = rig.mesh.notes().unwrap();
        assert!(notes.iter().any(|note| note.contains("xds.quarantine.1")), "{notes:?}");

        rig.mesh.interrupt().unwrap();
        rig.mesh.uninstall().unwrap();
        rig.mesh.restart().unwrap();
        rig.await_members(&[0, 1, 2]);
        rig.istiod.start_again().unwrap();
        rig.await_link("a control plane", |link| link.phase == "connected" && link.acks >= 2);
        rig.await_members(&[0, 1, 2]);
        rig.stage.enrolled().try_for_each(|pod| rig.mesh.pod_add(pod)).unwrap();
    });
}
