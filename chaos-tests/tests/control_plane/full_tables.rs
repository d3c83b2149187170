//! The mesh is larger than the tables, and what stands is followed.

use evermesh_chaos_tests::{
    faults::Fault,
    istiod::{self, Config, service_name},
    oracle::{Event, Verdict},
    wait,
};
use evermesh_proto::workload::{Service, Workload};

use crate::rig::{PATIENCE, Rig, uid, with_rig, workload};

/// For `web`, and not for the crowd.
const ROOM: [&str; 2] = ["--max-endpoints", "64"];
const CROWD: u32 = 100;

#[test]
fn pods_leave_and_come_while_there_is_no_room_for_others_and_after_a_crash() {
    with_rig(Config::default(), &ROOM, |rig| {
        let report = rig.under_traffic(|rig| {
            let mut events = vec![Event::during("a crowd came", || a_crowd_comes(rig))];
            events.push(Event::during("pods left and came", || pods_leave_and_come(rig, 0)));
            events.push(Fault::KillBoth.inflict(&mut rig.mesh)?);
            events.push(Event::during("pods left and came again", || pods_leave_and_come(rig, 1)));
            events.push(Event::during("the crowd left", || the_crowd_leaves(rig)));
            Ok(events)
        });
        println!("{report}");
        assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 5), "{report}");
    });
}

/// What traffic obeys is neither what was said nor what was applied whole before.
#[test]
fn who_has_left_a_full_table_stays_away_from_an_agent_that_starts_alone() {
    with_rig(Config::default(), &ROOM, |rig| {
        a_crowd_comes(rig);
        rig.istiod.remove(&uid(&rig.stage.web[0]));
        rig.await_members(&[1, 2]);
        rig.istiod.stop();
        // So it writes down what stands, which has less room than there was.
        rig.mesh.interrupt().unwrap();
        rig.mesh.restart().unwrap();
        rig.await_members(&[1, 2]);
        assert_eq!(rig.writes(), 0, "what stands is the newest");
        rig.istiod.put(workload(&rig.stage.web[0]));
        rig.istiod.start_again().unwrap();
        rig.await_members(&[0, 1, 2]);
        the_crowd_leaves(rig);
    });
}

fn a_crowd_comes(rig: &Rig<'_>) {
    rig.istiod.put(crowd());
    rig.istiod.put_all((0..CROWD).map(one_of_the_crowd));
    await_refusal(rig, Some("`endpoints` is full: raise --max-endpoints"));
}

fn the_crowd_leaves(rig: &Rig<'_>) {
    (0..CROWD).for_each(|n| rig.istiod.remove(&one_of_the_crowd(n).uid));
    await_refusal(rig, None);
    rig.await_members(&[0, 1, 2]);
}

/// As many come as have left, but not before.
fn pods_leave_and_come(rig: &Rig<'_>, which: usize) {
    rig.leaves_and_comes(which);
    await_refusal(rig, Some("new services wait"));
}

fn await_refusal(rig: &Rig<'_>, words: Option<&str>) {
    let is_so = || match (rig.mesh.refusal().unwrap(), words) {
        (Some(refused), Some(words)) => refused.reason.contains(words),
        (refused, words) => refused.is_none() && words.is_none(),
    };
    wait::until("the refusal", PATIENCE, || is_so().then_some(()))
        .unwrap_or_else(|error| panic!("{error}: {:?}\n{}", rig.mesh.refusal(), rig.sandbox.logs()));
}

fn crowd() -> Service {
    istiod::service("demo", "crowd", [std::net::Ipv4Addr::new(10, 96, 7, 7)], [(80, 8080)])
}

fn one_of_the_crowd(n: u32) -> Workload {
    let crowd = service_name("demo", "crowd");
    let address = (0x0b01_0000 + n).to_be_bytes();
    istiod::workload(&format!("Kubernetes//Pod/demo/crowd-{n}"), address, [(crowd.as_str(), [(80, 8080)])])
}
