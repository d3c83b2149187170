//! Evermesh on every node as `deploy/istio` has it, which follows a real Istiod.

use std::collections::BTreeSet;

use evermesh_chaos_tests::wait;
use evermesh_cluster::{Cluster, Istiod};
use serde_json::Value;

use super::{program, world};
use crate::scene::{self, PATIENCE, Pod};

const NODES: usize = 2;
/// So many that both servers are met.
const CONVERSATIONS: usize = 60;

fn ask(cluster: &Cluster, node: usize, arguments: &[&str]) -> Value {
    let answer = scene::evermesh(cluster, node, &[arguments, &["--output", "json"]].concat());
    serde_json::from_str(&answer).unwrap()
}

/// The addresses behind port 80 of the virtual IPs, as the tables of a node say.
fn servers(cluster: &Cluster, node: usize) -> BTreeSet<String> {
    let dump = ask(cluster, node, &["dump", "endpoints"]);
    let of_web = dump["endpoints"].as_array().unwrap().iter().filter(|it| it["service_port"] == 80);
    of_web.map(|it| it["address"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_manifests_follow_a_real_istiod_with_token_and_root_certificate() {
    let Some(program) = program() else { return };
    let cluster = Cluster::up(NODES).unwrap();
    let istiod = cluster.istiod(&program).unwrap();
    world::make(&cluster);
    scene::load_images(&cluster);
    scene::run_evermesh_with_istio(&cluster);
    let web = scene::pods(&cluster, "app=web");
    let addresses: BTreeSet<String> = web.iter().map(|pod| pod.address.clone()).collect();
    for node in 1..=NODES {
        wait::until("the tables", PATIENCE, || (servers(&cluster, node) == addresses).then_some(()))
            .unwrap_or_else(|error| panic!("{error}: {:?}", servers(&cluster, node)));
        let link = ask(&cluster, node, &["status"])["control_plane"].take();
        let address = format!("{}:{}", Istiod::NAME, istiod.secure_address().port());
        assert_eq!((&link["address"], &link["phase"]), (&address.into(), &"connected".into()), "{link:#}");
        assert_eq!((&link["nacks"], link["current"].as_bool()), (&0.into(), Some(true)), "{link:#}");
    }
    let client = web.iter().find(|pod| pod.node == 1 && pod.name == "web-1").unwrap();
    assert_eq!(met(&cluster, client), None, "nothing serves the virtual IP but Evermesh");
    for pod in web.iter().filter(|pod| pod.node == 1) {
        let pid = pod.process(&cluster).to_string();
        scene::evermesh(&cluster, 1, &["pod", "add", &pod.uid, "--pid", &pid]);
    }
    assert_eq!(met(&cluster, client), Some(["web-1", "web-2"].map(str::to_owned).into()));
    drop(istiod);
    cluster.close().unwrap();
}

/// Who answers a pod of the namespace `mesh` behind the virtual IP; nobody, where it is not reached.
fn met(cluster: &Cluster, pod: &Pod) -> Option<BTreeSet<String>> {
    let script = format!(
        "i=0; while [ $i -lt {CONVERSATIONS} ]; do nc -w 5 10.96.0.80 80 </dev/null || exit 1; i=$((i + 1)); done"
    );
    let shell = ["exec", "--namespace=mesh", &pod.name, "--", "/bin/busybox", "sh", "-c", &script];
    cluster.kubectl(&shell).ok().map(|answers| answers.lines().map(str::to_owned).collect())
}
