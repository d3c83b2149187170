//! Evermesh as a daemon set, under traffic between nodes.

use std::collections::BTreeSet;

use evermesh_chaos_tests::oracle::{Event, Verdict};
use evermesh_cluster::Cluster;

use crate::{
    scene::{self, Pod},
    traffic::Clients,
};

const NAMESPACE: &str = "--namespace=evermesh-system";

/// A cluster with servers, clients and Evermesh on every node, and traffic that has begun.
fn under_traffic(nodes: usize, act: impl FnOnce(&Cluster, &Clients<'_>)) {
    let cluster = Cluster::up(nodes).unwrap();
    scene::load_images(&cluster);
    let servers = scene::run_servers(&cluster);
    let clients = Clients::new(&cluster, &servers);
    scene::run_evermesh(&cluster, &servers, &[&servers[..], &clients.pods].concat());
    clients.start();
    act(&cluster, &clients);
    cluster.close().unwrap();
}

#[test]
fn a_roll_out_of_the_daemon_set_goes_unnoticed() {
    under_traffic(3, |cluster, clients| {
        let restarted = Event::during("rolled out", || {
            let before = evermeshes(cluster);
            cluster.kubectl(&["rollout", "restart", NAMESPACE, "daemonset/evermesh"]).unwrap();
            scene::await_evermesh(cluster);
            let after = evermeshes(cluster);
            assert_eq!((before.len(), after.len()), (3, 3));
            assert!(before.is_disjoint(&after), "every pod is another one: {before:?} {after:?}");
        });
        let gone = Event::during("deleted", || {
            cluster.kubectl(&["delete", NAMESPACE, "daemonset/evermesh", "--cascade=foreground"]).unwrap();
            assert_eq!(evermeshes(cluster), BTreeSet::new());
        });
        clients.stop();
        let report = clients.judge(&[1, 2, 3], &[restarted, gone]);
        println!("{report}");
        assert_eq!(
            (report.verdict(), report.failed(), report.events.len()),
            (Verdict::Clean, 0, 2),
            "{report}"
        );
        for event in &report.events {
            println!("{}: {} attempts, {:?}", event.event.kind, event.overlapping, event.longest_stall);
        }
    });
}

/// The control: what the test above must be able to see.
#[test]
fn evermesh_taken_away_from_one_node_is_noticed_there() {
    under_traffic(2, |cluster, clients| {
        let taken = Event::during("uninstalled on node 2", || {
            scene::evermesh(cluster, 2, &["uninstall"]);
        });
        clients.stop();
        let there = clients.judge(&[2], std::slice::from_ref(&taken));
        println!("{there}");
        assert_eq!(there.verdict(), Verdict::Failed, "{there}");
        assert!(there.failures.keys().any(|failure| failure.starts_with("Greeting ")), "{there}");
        let elsewhere = clients.judge(&[1], &[taken]);
        assert_eq!(elsewhere.verdict(), Verdict::Clean, "{elsewhere}");
    });
}

/// Which pods Evermesh runs as.
fn evermeshes(cluster: &Cluster) -> BTreeSet<String> {
    scene::pods(cluster, "app=evermesh").into_iter().map(|Pod { uid, .. }| uid).collect()
}
