//! The disk is full, and the mesh works.

use std::time::Duration;

use evermesh_chaos_tests::{
    faults::Fault,
    filler::Filler,
    istiod::{self, Config, Istiod, Seen},
    mesh::ControlPlaneSeen,
    oracle::{Event, Verdict},
    sandbox::Sandbox,
    wait,
};
use evermesh_proto::workload::{ADDRESS, Workload};

use crate::rig::{Rig, uid, with_sandbox};

/// Enough for a database and a record, not for the programs of a release.
const DISK: u64 = 16 << 20;
const BALLAST: u32 = 500;
/// The disk is tried again every 5 seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A node with little room on its disk, where all stands that its control plane says.
fn with_little_room(story: impl FnOnce(&mut Rig, &Filler)) {
    let sandbox = Sandbox::new().unwrap();
    sandbox.limit_state_dir(DISK).unwrap();
    let istiod = Istiod::start(Config::default()).unwrap();
    let address = format!("http://{}", istiod.address());
    with_sandbox(sandbox, istiod, &address, &[], |rig| {
        await_told(rig, "what it says on disk", |link| link.unkept.is_none() && link.acks >= 2);
        let filler = Filler::in_directory(&rig.sandbox.state_dir());
        story(rig, &filler);
    });
}

#[test]
fn a_disk_that_fills_up_stops_nothing_and_what_was_said_meanwhile_is_kept_when_there_is_room() {
    with_little_room(|rig, filler| {
        let report = rig.under_traffic(|rig| {
            let mut events = vec![Event::during("the disk filled up", || fill_up(rig, filler))];
            events.push(Event::during("pods left and came", || pods_leave_and_come(rig)));
            for fault in [Fault::KillAgent, Fault::KillBoth] {
                events.push(fault.inflict(&mut rig.mesh)?);
                events.push(Event::during("pods left and came again", || pods_leave_and_come(rig)));
            }
            Ok(events)
        });
        println!("{report}");
        assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 6), "{report}");
        assert_eq!(rig.istiod.seen().nacks(ADDRESS).len(), 0);

        // The last word is said while there is no room for it.
        rig.istiod.remove(&uid(&rig.stage.web[1]));
        rig.await_members(&[0, 2]);
        await_told(rig, "the full disk still", is_unkept);
        filler.make_room().unwrap();
        await_told(rig, "to be kept again", |link| link.unkept.is_none());
        rig.istiod.stop();
        rig.mesh.kill_both().unwrap();
        rig.mesh.uninstall().unwrap();
        rig.mesh.restart().unwrap();
        rig.await_members(&[0, 2]);
        let notes = rig.mesh.notes().unwrap();
        assert!(!notes.iter().any(|note| note.contains("xds")), "nothing was moved away: {notes:?}");
    });
}

/// Nothing of what was said since is on the disk, and the database that is there is whole.
#[test]
fn who_has_left_while_the_disk_was_full_stays_away_from_an_agent_that_starts_alone() {
    with_little_room(|rig, filler| {
        fill_up(rig, filler);
        rig.istiod.remove(&uid(&rig.stage.web[0]));
        rig.await_members(&[1, 2]);
        rig.istiod.stop();
        rig.mesh.kill_both().unwrap();
        filler.make_room().unwrap();
        rig.mesh.restart().unwrap();
        rig.await_members(&[1, 2]);
        assert_eq!(rig.writes(), 0, "what stands is the newest");
    });
}

/// The agent says so as soon as something has no room; until then the database has some left.
fn fill_up(rig: &Rig<'_>, filler: &Filler) {
    filler.fill().unwrap();
    rig.istiod.put_all((0..BALLAST).map(ballast));
    await_told(rig, "the full disk", is_unkept);
}

/// How the disk is, is told with what comes next.
fn await_told(rig: &Rig<'_>, what: &str, wanted: impl Fn(&ControlPlaneSeen) -> bool) {
    let told = || {
        rig.istiod.push_again([uid(&rig.stage.web[0]).as_str()]);
        rig.mesh.control_plane().unwrap().filter(&wanted)
    };
    wait::until(what, PATIENCE, told).unwrap_or_else(|error| panic!("{error}\n{}", rig.sandbox.logs()));
}

fn is_unkept(link: &ControlPlaneSeen) -> bool {
    link.unkept.as_ref().is_some_and(|reason| reason.contains("No space left on device"))
}

/// Traffic follows, and so do the answers.
fn pods_leave_and_come(rig: &Rig<'_>) {
    let accepted = |seen: &Seen| seen.until_accepted(ADDRESS).len();
    let before = accepted(&rig.istiod.seen());
    rig.leaves_and_comes(0);
    rig.istiod.wait_for("the answers", |seen| accepted(seen) >= before + 2).unwrap();
    await_told(rig, "the full disk still", is_unkept);
}

/// A workload of no service, about a kilobyte of it.
fn ballast(n: u32) -> Workload {
    let address = (0x0b00_0000 + n).to_be_bytes();
    let services: [(&str, [(u32, u32); 0]); 0] = [];
    let uid = format!("Kubernetes//Pod/demo/ballast-{n}");
    Workload { workload_name: "n".repeat(1000), ..istiod::workload(&uid, address, services) }
}
