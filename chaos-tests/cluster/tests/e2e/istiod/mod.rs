//! A real Istiod on a cluster, where `EVERMESH_ISTIOD` names one. What it says is recorded where `EVERMESH_ISTIOD_RECORDING`
//! names a file.

mod deployed;
mod follower;
mod following;
mod ports;
mod recording;
mod scenario;
mod session;
mod stream;
mod world;

use std::{env, path::PathBuf};

use evermesh_cluster::{Cluster, Istiod};
use evermesh_proto::{security::AUTHORIZATION, workload::ADDRESS};

use recording::Recording;
use session::{Held, Session, Versions};
use stream::Trust;
use world::{WEB, workload};

use crate::scene::{self, PATIENCE};

/// Names Istio's `pilot-discovery`.
const ISTIOD: &str = "EVERMESH_ISTIOD";
/// Names the file for what it says.
const RECORDING: &str = "EVERMESH_ISTIOD_RECORDING";

/// The program, or the word that there is none.
fn program() -> Option<PathBuf> {
    let program = env::var_os(ISTIOD).map(PathBuf::from);
    if program.is_none() {
        println!("skipped: {ISTIOD} does not name Istio's `pilot-discovery`");
    }
    program
}

#[test]
fn a_real_istiod_tells_a_node_of_pods_and_services() {
    let Some(program) = program() else { return };
    let cluster = Cluster::up(2).unwrap();
    let mut istiod = cluster.istiod(&program).unwrap();
    world::make(&cluster);
    let trust = trust(&cluster);
    for trust in [None, Some(trust)] {
        let (held, pod) = (told(&cluster, &istiod, trust), workload("mesh", "web-1"));
        let (service, workload) = (held.service(WEB).unwrap(), held.workload(&pod).unwrap());
        assert_eq!(service.addresses[0].address[..], [10, 96, 0, 80]);
        assert_eq!(workload.node, "node1");
        let pod = &scene::pods(&cluster, "app=web").into_iter().find(|pod| pod.node == 2).unwrap();
        let address: std::net::Ipv4Addr = pod.address.parse().unwrap();
        let second = held.workload(&world::workload("mesh", "web-2")).unwrap();
        assert_eq!(second.addresses[0][..], address.octets());
    }
    istiod.stop().unwrap();
    istiod.start_again().unwrap();
    assert!(told(&cluster, &istiod, None).has(WEB));
    drop(istiod);
    cluster.close().unwrap();
}

#[test]
fn who_has_no_token_is_refused_at_the_secure_port() {
    let Some(program) = program() else { return };
    let cluster = Cluster::up(1).unwrap();
    let istiod = cluster.istiod(&program).unwrap();
    let trust = Trust { token: None, ..trust(&cluster) };
    let stream = stream::Stream::open(cluster.nodes()[0].netns(), istiod.secure_address(), Some(trust));
    let end = stream.next(PATIENCE).unwrap().unwrap_err();
    assert_eq!(end.code(), tonic::Code::Unauthenticated, "{end}");
    drop(istiod);
    cluster.close().unwrap();
}

/// Not a test: it makes the recordings that other tests read.
#[test]
fn what_a_real_istiod_says_is_recorded() {
    let Some(program) = program() else { return };
    let Some(file) = env::var_os(RECORDING) else {
        return println!("skipped: {RECORDING} does not name a file");
    };
    let version = std::process::Command::new(&program).args(["version", "--short"]).output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let cluster = Cluster::up(2).unwrap();
    let mut istiod = cluster.istiod(&program).unwrap();
    world::make(&cluster);
    let mut recording =
        Recording::new(&format!("What Istiod {} said.", version.rsplit(' ').next().unwrap().trim()));
    scenario::play(&cluster, &mut istiod, &mut recording);
    recording.write(file.as_ref());
    drop(istiod);
    cluster.close().unwrap();
}

/// What a node is told when it asks for everything.
fn told(cluster: &Cluster, istiod: &Istiod, trust: Option<Trust>) -> Held {
    let (mut held, mut recording) = (Held::default(), Recording::new("unrecorded"));
    let address = if trust.is_some() { istiod.secure_address() } else { istiod.address() };
    let place = (cluster.nodes()[0].netns(), address, trust);
    let mut session = Session::open(place, |_, _| Versions::new(), &mut held, &mut recording);
    session.await_first_responses();
    assert!(!session.held.of_type(ADDRESS).is_empty() && session.held.of_type(AUTHORIZATION).is_empty());
    drop(session);
    held
}

/// The token of a proxy, for Istiod, and what proves Istiod.
fn trust(cluster: &Cluster) -> Trust {
    let namespace = "--namespace=istio-system";
    let root =
        ["get", namespace, "configmap/istio-ca-root-cert", "--output=jsonpath={.data.root-cert\\.pem}"];
    cluster
        .kubectl(&["wait", namespace, "--for=create", "configmap/istio-ca-root-cert", "--timeout=60s"])
        .unwrap();
    cluster.kubectl(&["create", namespace, "serviceaccount", "ztunnel"]).unwrap();
    let token = cluster.kubectl(&["create", namespace, "token", "ztunnel", "--audience=istio-ca"]).unwrap();
    Trust { root: cluster.kubectl(&root).unwrap(), token: Some(token.trim().to_owned()) }
}
