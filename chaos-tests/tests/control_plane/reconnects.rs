//! A connection that is lost and comes back changes nothing that has not changed.

use evermesh_chaos_tests::istiod::{Config, Lie, Release};
use evermesh_proto::workload::ADDRESS;

use crate::rig::{RELEASES, Rig, uid, with_rig, workload};

const TIMES: usize = 4;

#[test]
fn nothing_is_written_where_nothing_has_changed() {
    for release in RELEASES {
        with_rig(Config { release, ..Config::default() }, &[], |rig| {
            let (before, writes) = (rig.istiod.seen(), rig.writes());
            for time in 1..=TIMES {
                rig.istiod.stop();
                rig.await_link("the loss of the control plane", |link| link.phase == "lost");
                rig.istiod.start_again().unwrap();
                await_synced(rig, before.streams.len() + time);
            }
            let seen = rig.istiod.seen();
            assert_eq!(rig.writes(), writes);
            assert_eq!(seen.streams.len(), before.streams.len() + TIMES, "it loops");
            let again = seen.resources_sent() - before.resources_sent();
            println!("{release:?}: {TIMES} reconnects, {again} resources in {} bytes", seen.bytes_sent());
            // 1.31 says nothing twice.
            assert_eq!(again, if release == Release::V1_31 { 0 } else { TIMES * 5 });
        });
    }
}

fn await_synced(rig: &Rig<'_>, streams: usize) {
    rig.istiod
        .wait_for("an answered stream", |seen| {
            let answered = |stream: &evermesh_chaos_tests::istiod::StreamSeen| stream.responses.len() >= 2;
            seen.streams.len() >= streams && seen.streams.last().is_some_and(answered)
        })
        .unwrap();
    rig.await_link("a synced control plane", |link| link.phase == "connected");
}

#[test]
fn what_changed_meanwhile_is_caught_up_with() {
    for release in RELEASES {
        with_rig(Config { release, ..Config::default() }, &[], |rig| {
            rig.istiod.stop();
            rig.istiod.remove(&uid(&rig.stage.web[0]));
            rig.istiod.start_again().unwrap();
            rig.await_members(&[1, 2]);
            rig.istiod.stop();
            rig.istiod.put(workload(&rig.stage.web[0]));
            rig.istiod.start_again().unwrap();
            rig.await_members(&[0, 1, 2]);
            assert_eq!(rig.istiod.seen().nacks(ADDRESS).len(), 0);
        });
    }
}

/// Each of these ends a stream; the next one finds everything as it was.
#[test]
fn streams_that_end_in_every_way_are_opened_again() {
    let ways = [
        Lie::ResetConnection,
        Lie::CloseConnection,
        Lie::ResetStream,
        Lie::End(tonic::Code::Ok),
        Lie::End(tonic::Code::Unavailable),
        Lie::EmptyNonce,
        Lie::UnknownType,
    ];
    with_rig(Config::default(), &[], |rig| {
        let pid = rig.mesh.agent_pid().unwrap();
        for lie in ways {
            let told = format!("{lie:?}");
            let streams = rig.istiod.seen().streams.len();
            rig.istiod.lie(lie);
            rig.istiod.remove(&uid(&rig.stage.web[0]));
            rig.istiod
                .wait_for(&format!("another stream after {told}"), |seen| seen.streams.len() > streams)
                .unwrap();
            rig.istiod.be_honest();
            rig.await_members(&[1, 2]);
            rig.istiod.put(workload(&rig.stage.web[0]));
            rig.await_members(&[0, 1, 2]);
        }
        assert_eq!(rig.mesh.agent_pid().unwrap(), pid);
    });
}
