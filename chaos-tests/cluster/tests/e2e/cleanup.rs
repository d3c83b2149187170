//! A cluster leaves nothing behind, and clusters do not know of each other.

use std::{env, path::Path};

use evermesh_cluster::{Cluster, ClusterName, Footprint};

use crate::{machine::Machine, scene};

/// How many times a cluster goes up and down.
const CYCLES: &str = "EVERMESH_CLUSTER_CYCLES";
const NAME: &str = "cycles";

#[test]
fn a_cluster_that_was_up_has_left_nothing() {
    let cycles = env::var(CYCLES).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let name: ClusterName = NAME.parse().unwrap();
    let before = Machine::now(NAME);
    for cycle in 1..=cycles {
        let cluster = Cluster::up_as(&name, 3).unwrap();
        scene::run_pauses(&cluster, 6);
        let now = Machine::now(NAME);
        let added = now.added_since(&before);
        for kind in ["cgroup ", "mount ", "namespace mnt", "namespace net", "process "] {
            assert!(
                added.iter().any(|what| what.starts_with(kind)),
                "no `{kind}` although it is up: {added:#?}"
            );
        }
        cluster.close().unwrap();
        assert!(Footprint::of(&name).unwrap().is_empty());
        let after = scene::await_reaped(NAME, &before);
        assert_eq!(after.added_since(&before), Vec::<&str>::new(), "cycle {cycle}");
        println!("cycle {cycle} of {cycles}: nothing left");
    }
}

#[test]
fn clusters_live_side_by_side() {
    let (one, other) = (Cluster::up(1).unwrap(), Cluster::up(2).unwrap());
    let nodes = |cluster: &Cluster| cluster.kubectl(&["get", "nodes", "--output=name"]).unwrap();
    assert_eq!((nodes(&one).as_str(), nodes(&other).as_str()), ("node/node1\n", "node/node1\nnode/node2\n"));
    let name = one.name().clone();
    one.close().unwrap();
    assert!(Footprint::of(&name).unwrap().is_empty());
    scene::run_pauses(&other, 2);
    expect_nodes_apart(&other);
    other.close().unwrap();
}

/// What a node keeps or pins is its own: neither its neighbours nor the machine see it.
fn expect_nodes_apart(cluster: &Cluster) {
    let [one, other] = cluster.nodes() else { panic!("two nodes") };
    for dir in ["/run", "/sys/fs/bpf", "/var/lib", "/var/log"] {
        let mark = &format!("{dir}/evermesh_test_mark");
        one.exec("/bin/mkdir".as_ref(), &[mark]).unwrap();
        one.exec("/bin/ls".as_ref(), &[mark]).unwrap();
        assert!(other.exec("/bin/ls".as_ref(), &[mark]).is_err(), "{mark} on another node");
        assert!(!Path::new(mark).exists(), "{mark} on the machine");
    }
}
