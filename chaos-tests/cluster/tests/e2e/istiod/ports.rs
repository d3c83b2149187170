//! Ports of which a real Istiod does not say where they lead.

use std::collections::BTreeSet;

use evermesh_chaos_tests::wait;

use super::{
    following::{FIRST, Rig, SECOND, plain, with_rig},
    world,
};
use crate::scene::{self, PATIENCE};

/// The service ports that the kernel leaves alone. Names of new services come to the disk once a minute.
fn left_alone(rig: &Rig<'_>) -> BTreeSet<u64> {
    let services = rig.follower.services();
    let alone = services["services"].as_array().unwrap().iter().filter(|it| it["left_alone"] == true);
    alone.map(|it| it["port"].as_u64().unwrap()).collect()
}

fn counted(rig: &Rig<'_>, counter: &str) -> u64 {
    rig.follower.status()["counters"][counter].as_u64().unwrap()
}

fn warnings(rig: &Rig<'_>) -> String {
    rig.follower.status()["configuration"]["warnings"].to_string()
}

fn await_left_alone(rig: &Rig<'_>, wanted: &[u64]) {
    let wanted: BTreeSet<_> = wanted.iter().copied().collect();
    wait::until("ports that are left alone", PATIENCE, || (left_alone(rig) == wanted).then_some(()))
        .unwrap_or_else(|error| rig.fail(&format!("{error}: {:?}, not {wanted:?}", left_alone(rig))));
}

#[test]
fn a_port_of_which_a_real_istiod_says_no_target_is_left_alone() {
    with_rig(plain, |rig| {
        await_left_alone(rig, &[53]);
        assert!(warnings(rig).contains("port 53 of mesh/names.mesh.svc.cluster.local"), "{}", warnings(rig));
        rig.enrol(FIRST);
        assert_eq!(counted(rig, "left_alone"), 0);
        // Nothing in this cluster answers: what counts is that the question is sent.
        let ask = ["timeout", "5", "/bin/busybox", "nslookup", "nobody", "10.96.0.53"];
        rig.cluster
            .kubectl(&[&["exec", "--namespace=mesh", FIRST, "--", "/bin/busybox"][..], &ask].concat())
            .unwrap_err();
        assert!(counted(rig, "left_alone") > 0);
        assert_eq!((counted(rig, "refused_no_endpoints"), counted(rig, "refused_unknown_port")), (0, 0));
        rig.expect_answers(&[FIRST, SECOND]);
    });
}

#[test]
fn a_port_that_a_real_istiod_has_twice_is_led_where_both_lead_to_one_target() {
    with_rig(plain, |rig| {
        scene::apply(rig.cluster, include_str!("../manifests/istiod/ports.yaml"));
        await_left_alone(rig, &[53, 55, 56]);
        let warnings = warnings(rig);
        assert!(warnings.contains("2 service ports (port 55 of mesh/half-named."), "{warnings}");
        let alike: Vec<String> = [FIRST, SECOND].map(|pod| format!("54 to {}:8080", rig.address(pod))).into();
        wait::until("the port that is led", PATIENCE, || {
            let endpoints = rig.follower.endpoints();
            alike.iter().all(|one| endpoints.contains(one)).then_some(())
        })
        .unwrap_or_else(|error| rig.fail(&error.to_string()));
        rig.expect_all_accepted();
        let held = super::told(rig.cluster, rig.istiod, None);
        let workload = held.workload(&world::workload("mesh", FIRST)).unwrap();
        let said = |service: &str| {
            let ports = &workload.services[&format!("mesh/{service}.mesh.svc.cluster.local")].ports;
            ports.iter().map(|port| (port.service_port, port.target_port)).collect::<Vec<_>>()
        };
        assert_eq!(said("names"), []);
        assert_eq!(said("alike"), [(54, 8080), (54, 8080)]);
        // The name was not looked up, and the other entry's target may be that of either transport.
        assert_eq!(said("half-named"), [(55, 0), (55, 8080)]);
        // The first name was forgotten.
        assert_eq!(said("named"), [(56, 8080), (56, 8080)]);
    });
}
