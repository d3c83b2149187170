//! What the control plane says is what traffic obeys.

use evermesh_chaos_tests::{
    istiod::{Config, ISTIO_DEBOUNCE, deny_all, policy_name},
    oracle::{Event, Verdict},
    stage::config::{HTTP, WEB},
};
use evermesh_proto::{security::AUTHORIZATION, workload::ADDRESS};

use crate::rig::{RELEASES, Rig, uid, with_rig, workload};

#[test]
fn every_change_is_obeyed_under_traffic_and_answered() {
    for release in RELEASES {
        let config = Config { release, debounce: ISTIO_DEBOUNCE, ..Config::default() };
        with_rig(config, &[], |rig| {
            let report = rig.under_traffic(|rig| Ok((0..3).map(|pod| leave_and_come(rig, pod)).collect()));
            println!("{release:?}: {report}");
            assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, 3), "{report}");
            let seen = rig.istiod.seen();
            let answered = |kind| seen.acks(kind) + seen.nacks(kind).len();
            assert_eq!((seen.nacks(ADDRESS).len(), seen.nacks(AUTHORIZATION).len()), (0, 0));
            assert!(answered(ADDRESS) >= 6, "{}", answered(ADDRESS));
        });
    }
}

fn leave_and_come(rig: &Rig<'_>, pod: usize) -> Event {
    Event::during("a pod left and came", || rig.leaves_and_comes(pod))
}

#[test]
fn a_bad_resource_is_refused_by_itself_and_its_last_good_one_serves() {
    with_rig(Config::default(), &[], |rig| {
        let mut bad = workload(&rig.stage.web[0]);
        bad.services.values_mut().for_each(|ports| ports.ports[0].target_port = 70_000);
        rig.istiod.put_all([bad.clone()]);
        let seen = rig.istiod.wait_for("a NACK", |seen| !seen.nacks(ADDRESS).is_empty()).unwrap();
        let reason = &seen.nacks(ADDRESS)[0].message;
        assert!(reason.contains(&bad.uid) && reason.contains("70000 is no port"), "{reason}");
        rig.istiod.remove(&uid(&rig.stage.web[2]));
        rig.await_members(&[0, 1]);
        let link = rig.await_link("the NACK in `status`", |link| link.nacks == 1);
        assert_eq!(link.last_nack.as_ref(), Some(reason));
        rig.istiod.put(workload(&rig.stage.web[2]));
        rig.await_members(&[0, 1, 2]);
    });
}

#[test]
fn policies_are_shown_as_not_enforced() {
    with_rig(Config::default(), &[], |rig| {
        let policy = deny_all("demo", "deny");
        let acked =
            |count| move |seen: &evermesh_chaos_tests::istiod::Seen| seen.acks(AUTHORIZATION) >= count;
        // An answer that comes when more was said is stale.
        rig.istiod.wait_for("an answer to there being no policy", acked(1)).unwrap();
        rig.istiod.allow(policy.clone());
        rig.istiod.wait_for("an answer to the policy", acked(2)).unwrap();
        let status = || rig.mesh.command(&["status".as_ref()]).unwrap();
        assert!(status().contains("NOT ENFORCED: demo/deny"), "{}", status());
        rig.istiod.remove_policy(&policy_name(&policy));
        rig.istiod.wait_for("an answer to its end", acked(3)).unwrap();
        assert!(!status().contains("NOT ENFORCED"), "{}", status());
    });
}

#[test]
fn what_cannot_be_done_is_refused_where_that_is_wanted() {
    with_rig(Config::default(), &["--on-unsupported", "refuse"], |rig| {
        let web = (WEB[0].parse::<std::net::IpAddr>().unwrap(), HTTP.port).into();
        rig.stage.client.fetch(web).unwrap();
        for pod in &rig.stage.web {
            let mut workload = workload(pod);
            workload.waypoint = Some(evermesh_proto::workload::GatewayAddress::default());
            rig.istiod.put(workload);
        }
        rig.await_members(&[]);
        let error = rig.stage.client.fetch(web).unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        let status = rig.mesh.command(&["status".as_ref()]).unwrap();
        assert!(status.contains("ask for a waypoint on the way: connections are refused"), "{status}");
    });
}
