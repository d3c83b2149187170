//! A control plane that says nonsense costs nothing but what it says.

use std::time::Duration;

use evermesh_chaos_tests::{
    istiod::{Config, Lie},
    wait,
};
use evermesh_proto::{security::AUTHORIZATION, workload::ADDRESS};

use crate::rig::{PATIENCE, uid, with_rig, workload};

/// Longer than one that says nothing at all is waited for.
const LATE: Duration = Duration::from_secs(35);

/// Each is refused, and the others of the same response are obeyed.
#[test]
fn resources_that_make_no_sense_are_refused_one_by_one() {
    with_rig(Config::default(), &[], |rig| {
        let pid = rig.mesh.agent_pid().unwrap();
        for (number, lie) in [Lie::Garbage, Lie::OtherType, Lie::NoResource, Lie::EmptyName, Lie::WrongName]
            .into_iter()
            .enumerate()
        {
            let told = format!("{lie:?}");
            rig.istiod.lie(lie.on(&uid(&rig.stage.web[0])));
            let mut changed = workload(&rig.stage.web[0]);
            changed.node = format!("node-{number}");
            let mut other = workload(&rig.stage.web[1]);
            other.node = format!("node-{number}");
            rig.istiod.put_all([changed, other]);
            rig.istiod
                .wait_for(&format!("a NACK of {told}"), |seen| seen.nacks(ADDRESS).len() > number)
                .unwrap();
            rig.await_members(&[0, 1, 2]);
        }
        assert_eq!(rig.mesh.agent_pid().unwrap(), pid);
        rig.istiod.remove(&uid(&rig.stage.web[2]));
        rig.await_members(&[0, 1]);
    });
}

#[test]
fn what_is_said_twice_or_both_ways_is_there() {
    with_rig(Config::default(), &[], |rig| {
        for lie in [Lie::DuplicateName, Lie::AddedAndRemoved, Lie::RepeatedNonce] {
            rig.istiod.lie(lie);
            let mut changed = workload(&rig.stage.web[0]);
            changed.addresses.truncate(1);
            rig.istiod.put(changed);
            let first = rig.stage.web[0].addresses()[1];
            evermesh_chaos_tests::wait::until("the change", crate::rig::PATIENCE, || {
                (!rig.members().contains(&first)).then_some(())
            })
            .unwrap();
            rig.istiod.put(workload(&rig.stage.web[0]));
            rig.await_members(&[0, 1, 2]);
        }
    });
}

/// As one is that has much to say over a slow network.
#[test]
fn a_control_plane_that_takes_its_time_is_waited_for_and_not_called_connected_meanwhile() {
    with_rig(Config::default(), &[], |rig| {
        let streams = |rig: &crate::rig::Rig<'_>| rig.istiod.seen().streams.len();
        rig.istiod.stop();
        rig.istiod.lie(Lie::Late(LATE).about(AUTHORIZATION));
        rig.istiod.remove(&uid(&rig.stage.web[0]));
        let before = streams(rig);
        rig.istiod.start_again().unwrap();
        rig.await_members(&[1, 2]);
        let link = || rig.mesh.control_plane().unwrap().unwrap();
        assert_eq!(link().phase, "connecting", "{:?}", link());
        let is_connected = || (link().phase == "connected").then_some(());
        wait::until("the rest", LATE + PATIENCE, is_connected)
            .unwrap_or_else(|error| panic!("{error}: {:?}", link()));
        assert_eq!(streams(rig), before + 1);
    });
}
