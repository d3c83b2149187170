//! What a client knows and its database has lost is kept again.

use std::sync::Arc;

use evermesh_chaos_tests::istiod::{Config, Istiod, Lie, service, service_name, workload};
use evermesh_proto::{discovery::Node, workload::ADDRESS};
use evermesh_xds_cache::{
    Conversion, Mesh,
    cache::{self, Opened},
    client::{self, Client, Link, Ports, Roots},
};
use tokio::sync::{mpsc, watch};

use crate::client::NODE;

const GOOD: &str = "Kubernetes//Pod/demo/web-1";

/// Follows the control plane, and applies whatever it offers, while `act` does its work.
fn follow(istiod: &Istiod, known: Opened, act: impl FnOnce(&Istiod)) {
    let (offers, mut offered) = mpsc::channel::<client::Offer>(1);
    let (links, _linked) = watch::channel(Link::default());
    let (hostnames, _asked) = watch::channel(Arc::from([]));
    let (_answer, answers) = mpsc::channel(1);
    let (meshes, _shown) = watch::channel(Mesh::default());
    let node = Node { id: NODE.into(), ..Node::default() };
    let address = format!("http://{}", istiod.address()).parse().unwrap();
    let config = client::Config { address, roots: Roots::System, token: None, node };
    let Opened { mesh, whole, keeper, .. } = known;
    let ports = Ports { offers, links, meshes, hostnames, answers };
    let client = Client::new(config, mesh, whole, keeper, ports);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let agent = runtime.spawn(async move {
        let applying = async {
            while let Some(offer) = offered.recv().await {
                offer.done.send(Ok(())).unwrap();
            }
        };
        tokio::select! { () = applying => {}, _ = ended => {} }
    });
    let client = runtime.spawn(client.run());
    act(istiod);
    end.send(()).unwrap();
    runtime.block_on(async { (agent.await.unwrap(), client.await.unwrap()) });
}

#[test]
fn the_last_good_version_of_a_refused_resource_outlives_a_lost_database() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let web = service_name("demo", "web");
    istiod.put(service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)]));
    let pod = |address| workload(GOOD, address, [(web.as_str(), [(80, 8080)])]);
    istiod.put(pod([10, 0, 0, 1]));
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    follow(&istiod, cache::open(first.path(), Conversion::default()), |istiod| {
        istiod.wait_for("all of it", |seen| seen.acks(ADDRESS) == 1).unwrap();
    });

    // It knows what was said, and has a database that knows nothing.
    let known = cache::open(first.path(), Conversion::default());
    let Opened { keeper, .. } = cache::open(second.path(), Conversion::default());
    istiod.lie(Lie::Garbage.on(GOOD));
    istiod.put(pod([10, 0, 0, 2]));
    follow(&istiod, Opened { keeper, ..known }, |istiod| {
        istiod.wait_for("a refusal", |seen| seen.nacks(ADDRESS).len() == 1).unwrap();
    });
    let kept = cache::read(second.path(), |as_kept| as_kept).unwrap().unwrap();
    let workloads: Vec<_> = kept.mesh.snapshot().workloads().collect();
    assert_eq!(workloads.len(), 1, "of what was known before");
    assert_eq!(workloads[0].addresses[0].to_string(), "10.0.0.1");
    assert_eq!(kept.mesh.snapshot().service_count(), 1);
}
