//! What Istiod looks at, and changes to it.

use evermesh_cluster::Cluster;

use super::session::Held;
use crate::scene;

/// Names of resources.
pub const WEB: &str = "mesh/web.mesh.svc.cluster.local";
pub const POLICY: &str = "mesh/nobody-from-outside";

/// How the workload of a pod is called.
pub fn workload(namespace: &str, name: &str) -> String {
    format!("Kubernetes//Pod/{namespace}/{name}")
}

/// Whether a pod is told to be as ready as that.
pub fn is_told(held: &Held, (namespace, name): (&str, &str), ready: bool) -> bool {
    let status = |workload: evermesh_proto::workload::Workload| workload.status == i32::from(!ready);
    held.workload(&workload(namespace, name)).is_some_and(status)
}

/// Two namespaces with services and pods, of which one is in the mesh and has a proxy, as far as Istiod knows.
pub fn make(cluster: &Cluster) {
    scene::apply(cluster, include_str!("../manifests/istiod/namespaces.yaml"));
    for namespace in ["mesh", "plain"] {
        let account = ["wait", "--for=create", "serviceaccount/default", "--timeout=60s", "--namespace"];
        cluster.kubectl(&[&account[..], &[namespace]].concat()).unwrap();
    }
    scene::apply(cluster, include_str!("../manifests/istiod/services.yaml"));
    for (namespace, name, node) in
        [("mesh", "web-1", "node1"), ("mesh", "web-2", "node2"), ("plain", "web-1", "node1")]
    {
        add_pod(cluster, (namespace, name), node);
    }
    // What Istio's own network plugin says of a pod that it has caught.
    let redirected = "ambient.istio.io/redirection=enabled";
    cluster.kubectl(&["annotate", "--namespace=mesh", "pod/web-1", redirected]).unwrap();
}

/// Lets a pod run, and be ready.
pub fn add_pod(cluster: &Cluster, (namespace, name): (&str, &str), node: &str) {
    let manifest = include_str!("../manifests/istiod/pod.yaml");
    let manifest = manifest.replace("NAMESPACE", namespace).replace("NAME", name).replace("NODE", node);
    scene::apply(cluster, &manifest);
    let runs = "--for=jsonpath={.status.phase}=Running";
    let pod = format!("pod/{name}");
    cluster.kubectl(&["wait", "--namespace", namespace, runs, &pod, "--timeout=120s"]).unwrap();
    set_ready(cluster, (namespace, name), true);
}

/// Lets the pod's readiness gate open or close.
pub fn set_ready(cluster: &Cluster, (namespace, name): (&str, &str), ready: bool) {
    let status = if ready { "True" } else { "False" };
    let patch = format!(
        r#"{{"status": {{"conditions": [{{"type": "evermesh.test/ready", "status": "{status}"}}]}}}}"#
    );
    let pod = format!("pod/{name}");
    let place = ["--namespace", namespace, &pod];
    cluster.kubectl(&[&["patch", "--subresource=status", "--patch", &patch][..], &place].concat()).unwrap();
    let condition = format!("--for=condition=Ready={status}");
    cluster.kubectl(&[&["wait", "--timeout=60s", &condition][..], &place].concat()).unwrap();
}

/// Removes something of the namespace `mesh`.
pub fn delete(cluster: &Cluster, what: &[&str]) {
    cluster.kubectl(&[&["delete", "--namespace=mesh"], what].concat()).unwrap();
}
