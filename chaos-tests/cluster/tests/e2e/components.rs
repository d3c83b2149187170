//! Components that are killed come back, and pods do not notice.

use evermesh_cluster::Cluster;

use crate::scene::{self, Pod};

#[test]
fn a_kubelet_containerd_and_the_api_server_are_killed_and_come_back() {
    let mut cluster = Cluster::up(1).unwrap();
    scene::run_pauses(&cluster, 1);
    let pods = || -> Vec<Pod> { scene::pods(&cluster, "app=pause") };
    let first = pods().remove(0);
    let process = first.process(&cluster);

    let node = cluster.node(1).unwrap();
    node.kubelet().kill().unwrap();
    node.start_kubelet().unwrap();
    node.await_kubelet().unwrap();
    scene::run_pauses(&cluster, 2);

    let node = cluster.node(1).unwrap();
    node.containerd().kill().unwrap();
    node.start_containerd().unwrap();
    node.await_containerd().unwrap();
    scene::run_pauses(&cluster, 3);

    cluster.kill_api_server().unwrap();
    assert!(cluster.kubectl(&["get", "nodes", "--request-timeout=5s"]).is_err(), "nobody answers");
    cluster.start_api_server().unwrap();
    scene::run_pauses(&cluster, 4);

    let now = scene::pods(&cluster, "app=pause").into_iter().find(|pod| pod.uid == first.uid).unwrap();
    assert_eq!(now.process(&cluster), process, "the first pod has gone on all the time");
    cluster.close().unwrap();
}
