//! A control plane that says nonsense costs nothing but what it says.

use evermesh_chaos_tests::istiod::{Config, Lie};
use evermesh_proto::workload::ADDRESS;

use crate::rig::{uid, with_rig, workload};

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
