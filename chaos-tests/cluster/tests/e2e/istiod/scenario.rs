//! The story that is recorded.

use std::time::Duration;

use evermesh_cluster::{Cluster, Istiod};
use evermesh_proto::workload::ADDRESS;

use super::{
    recording::Recording,
    session::{Held, Session, Versions},
    world::{self, POLICY, WEB, is_told, workload},
};
use crate::scene;

/// Longer than Istiod collects changes before it tells them.
const SILENCE: Duration = Duration::from_secs(1);

/// Plays it to one client, which loses its stream now and then.
pub fn play(cluster: &Cluster, istiod: &mut Istiod, recording: &mut Recording) {
    let mut client = Client { cluster, istiod, held: Held::default(), recording };
    client.on_a_stream("nothing is claimed", |_, _| Versions::new(), changes);
    client.on_a_stream("all that is held is claimed", |_, held| held, |_, _| {});
    client.on_a_stream("one version is stale", with_a_stale_one, |_, _| {});
    client.on_a_stream("a resource is claimed that never was", with_an_unknown_one, |_, _| {});
    world::delete(cluster, &["pod/web-2"]);
    world::add_pod(cluster, ("mesh", "web-4"), "node2");
    client.on_a_stream(
        "a pod has gone and another has come",
        |_, held| held,
        |_, session| {
            assert!(!session.held.has(&workload("mesh", "web-2")), "{:?}", session.held);
            assert!(session.held.has(&workload("mesh", "web-4")));
        },
    );
    client.on_a_stream("nothing is claimed although all is held", |_, _| Versions::new(), |_, _| {});
    client.istiod.stop().unwrap();
    client.istiod.start_again().unwrap();
    client.on_a_stream("Istiod was killed and has started again", |_, held| held, |_, _| {});
}

struct Client<'a> {
    cluster: &'a Cluster,
    istiod: &'a mut Istiod,
    held: Held,
    recording: &'a mut Recording,
}

impl Client<'_> {
    /// Opens a stream that claims what `claimed` makes of the versions that are held, takes what comes, and goes on.
    fn on_a_stream(
        &mut self,
        what: &str,
        claimed: fn(&str, Versions) -> Versions,
        act: impl FnOnce(&Cluster, &mut Session<'_>),
    ) {
        self.recording.step(what);
        let place = (self.cluster.nodes()[0].netns(), self.istiod.address(), None);
        let mut session = Session::open(place, claimed, &mut self.held, self.recording);
        session.await_first_responses();
        session.until_silent_for(SILENCE);
        act(self.cluster, &mut session);
    }
}

fn with_a_stale_one(_: &str, mut held: Versions) -> Versions {
    held.entry(workload("mesh", "web-1")).and_modify(|version| "stale".clone_into(version));
    held
}

fn with_an_unknown_one(type_url: &str, mut held: Versions) -> Versions {
    let name = if type_url == ADDRESS { workload("mesh", "never-was") } else { "mesh/never-was".to_owned() };
    held.insert(name, "1".to_owned());
    held
}

fn changes(cluster: &Cluster, session: &mut Session<'_>) {
    let mut step = |what: &str, act: &dyn Fn(), holds: &dyn Fn(&Held) -> bool| {
        session.step(what);
        act();
        session.until(what, holds);
        session.until_silent_for(SILENCE);
    };
    let (second, third) = (("mesh", "web-2"), ("mesh", "web-3"));
    let apply = |manifest: &str| scene::apply(cluster, manifest);
    step("a pod comes", &|| world::add_pod(cluster, third, "node1"), &|held| is_told(held, third, true));
    step("it is not ready", &|| world::set_ready(cluster, third, false), &|held| is_told(held, third, false));
    step("it is ready", &|| world::set_ready(cluster, third, true), &|held| is_told(held, third, true));
    let name = workload("mesh", "web-3");
    step("it goes", &|| world::delete(cluster, &["pod/web-3"]), &|held| !held.has(&name));
    step(
        "a service gets another port",
        &|| {
            let patch = r#"[{"op": "replace", "path": "/spec/ports/1/port", "value": 9091}]"#;
            let arguments = ["patch", "--namespace=mesh", "service/web", "--type=json", "--patch", patch];
            cluster.kubectl(&arguments).unwrap();
        },
        &|held| held.service(WEB).unwrap().ports.iter().any(|port| port.service_port == 9091),
    );
    step("a service goes", &|| world::delete(cluster, &["service/names"]), &|held| {
        !held.has("mesh/names.mesh.svc.cluster.local")
    });
    step("policies come", &|| apply(include_str!("../manifests/istiod/policies.yaml")), &|held| {
        held.has(POLICY) && held.has("mesh/only-mesh")
    });
    step(
        "a policy goes",
        &|| world::delete(cluster, &["authorizationpolicy/nobody-from-outside"]),
        &|held| !held.has(POLICY),
    );
    step("services outside come", &|| apply(include_str!("../manifests/istiod/outside.yaml")), &|held| {
        held.has("mesh/api.evermesh.test") && held.has("mesh/store.evermesh.test")
    });
    step(
        "a machine comes, with a service",
        &|| apply(include_str!("../manifests/istiod/machine.yaml")),
        &|held| held.has("mesh/machines.evermesh.test"),
    );
    step("the machine goes", &|| world::delete(cluster, &["workloadentry/machine"]), &|held| {
        !held.has("Kubernetes/networking.istio.io/WorkloadEntry/mesh/machine")
    });
    session.step("a response is refused");
    world::set_ready(cluster, second, false);
    session.refuse_next("this client refuses it");
    session.until_silent_for(SILENCE);
    session.step("it has changed again");
    world::set_ready(cluster, second, true);
    session.until("web-2 to be ready", |held| is_told(held, second, true));
    session.until_silent_for(SILENCE);
}
