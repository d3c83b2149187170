//! What the tests put into a cluster.

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_chaos_tests::wait;
use evermesh_cluster::{Cluster, image::Image};
use procfs::process::Process;
use serde_json::Value;
use tempfile::TempDir;

use crate::machine::Machine;

/// Longer than Kubernetes takes for anything on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
const TIMEOUT: &str = "--timeout=120s";
/// Where `make e2e` has put programs that are linked statically.
const STATIC_DIR: &str = "EVERMESH_STATIC_DIR";

/// A pod of the cluster.
#[derive(Clone, Debug)]
pub struct Pod {
    pub name: String,
    pub uid: String,
    pub node: usize,
    pub address: String,
}

/// All pods with that label.
pub fn pods(cluster: &Cluster, label: &str) -> Vec<Pod> {
    let listed =
        cluster.kubectl(&["get", "pods", "--all-namespaces", "--selector", label, "--output=json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let text = |pod: &Value, pointer| pod.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    let pod = |pod: &Value| Pod {
        name: text(pod, "/metadata/name"),
        uid: text(pod, "/metadata/uid"),
        node: text(pod, "/spec/nodeName").trim_start_matches("node").parse().unwrap(),
        address: text(pod, "/status/podIP"),
    };
    listed["items"].as_array().unwrap().iter().map(pod).collect()
}

impl Pod {
    /// The oldest of its processes, which is there as long as the pod is: whatever starts or looks at its containers comes and goes, and
    /// may have any number.
    pub fn process(&self, cluster: &Cluster) -> i32 {
        let node = &cluster.nodes()[self.node - 1];
        let name = format!("pod{}", self.uid);
        let of_pod = node
            .pods_cgroup()
            .tree()
            .into_iter()
            .filter(|cgroup| cgroup.path().iter().any(|part| part.to_str() == Some(&name)));
        let since = |pid| Some((Process::new(pid).ok()?.stat().ok()?.starttime, pid));
        of_pod.flat_map(|cgroup| cgroup.processes()).filter_map(since).min().unwrap().1
    }
}

/// Lets so many idle pods run.
pub fn run_pauses(cluster: &Cluster, replicas: usize) {
    apply(cluster, &include_str!("manifests/pause.yaml").replace("REPLICAS", &replicas.to_string()));
    await_rollout(cluster, "deployment/pause");
}

/// Applies a manifest.
pub fn apply(cluster: &Cluster, manifest: &str) {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("manifest.yaml");
    fs::write(&file, manifest).unwrap();
    cluster.kubectl(&["apply", "--filename", file.to_str().unwrap()]).unwrap();
}

/// Waits until all pods of a deployment or daemon set are ready and none is an old one.
pub fn await_rollout(cluster: &Cluster, what: &str) {
    cluster.kubectl(&["rollout", "status", TIMEOUT, what]).unwrap();
}

/// Brings the images of Evermesh and of test pods to every node.
pub fn load_images(cluster: &Cluster) {
    let programs = static_dir();
    let busybox = Path::new("/bin");
    let ours = deploy().join("daemonset/Containerfile");
    cluster.load(&Image::new("ghcr.io/evermesh/evermesh:dev", &ours, &[&programs]).unwrap()).unwrap();
    let rig = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/manifests/Containerfile");
    cluster.load(&Image::new("evermesh.test/rig:1", &rig, &[&programs, busybox]).unwrap()).unwrap();
}

/// A server on every node.
pub fn run_servers(cluster: &Cluster) -> Vec<Pod> {
    apply(cluster, include_str!("manifests/servers.yaml"));
    await_rollout(cluster, "daemonset/web");
    pods(cluster, "app=web")
}

/// Evermesh on every node as the manifests of `deploy/` have it, with `servers` behind the service. All `enrolled` are.
pub fn run_evermesh(cluster: &Cluster, servers: &[Pod], enrolled: &[Pod]) {
    let overlay = overlay(cluster, include_str!("manifests/kustomization.yaml"));
    fs::write(overlay.path().join("mesh.yaml"), mesh(servers)).unwrap();
    apply_overlay(cluster, &overlay);
    for pod in enrolled {
        let pid = pod.process(cluster).to_string();
        evermesh(cluster, pod.node, &["pod", "add", &pod.name, "--pid", &pid]);
    }
}

/// Evermesh on every node as the manifests of `deploy/istio` have it.
pub fn run_evermesh_with_istio(cluster: &Cluster) {
    apply_overlay(cluster, &overlay(cluster, include_str!("manifests/istiod/kustomization.yaml")));
}

/// A copy of the manifests in `deploy/`, with a kustomization beside them.
fn overlay(cluster: &Cluster, kustomization: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    for part in ["daemonset", "istio"] {
        let copy = dir.path().join(part);
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(deploy().join(part)).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
    }
    let cgroup =
        cluster.nodes()[0].pods_cgroup().path().display().to_string().replace("node1", "$(NODE_NAME)");
    fs::write(dir.path().join("kustomization.yaml"), kustomization.replace("CGROUP", &cgroup)).unwrap();
    dir
}

fn apply_overlay(cluster: &Cluster, overlay: &TempDir) {
    cluster.kubectl(&["apply", "--kustomize", overlay.path().to_str().unwrap()]).unwrap();
    await_evermesh(cluster);
}

/// Waits until the pods of Evermesh are ready on all nodes.
pub fn await_evermesh(cluster: &Cluster) {
    let daemon_set = ["--namespace=evermesh-system", "daemonset/evermesh"];
    cluster.kubectl(&[&["rollout", "status", TIMEOUT][..], &daemon_set].concat()).unwrap();
}

/// Runs `evermesh` on a node, as its root would.
pub fn evermesh(cluster: &Cluster, node: usize, arguments: &[&str]) -> String {
    cluster.nodes()[node - 1].exec(&static_dir().join("evermesh"), arguments).unwrap()
}

fn mesh(servers: &[Pod]) -> String {
    let workload = |pod: &Pod| {
        include_str!("manifests/workload.yaml")
            .replace("NAME", &format!("web-node{}", pod.node))
            .replace("NODE", &format!("node{}", pod.node))
            .replace("ADDRESS", &pod.address)
    };
    include_str!("manifests/mesh.yaml").to_owned() + &servers.iter().map(workload).collect::<String>()
}

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy")
}

fn static_dir() -> PathBuf {
    match env::var_os(STATIC_DIR).map(PathBuf::from) {
        Some(dir) if dir.is_dir() => dir,
        other => panic!(
            "{STATIC_DIR} must name the directory of the static programs, as `make e2e` lets it, not {other:?}"
        ),
    }
}

/// The machine's state once it is as it was, or when that was awaited in vain. What ended may be known until process 1 has
/// taken note.
pub fn await_reaped(cluster: &str, before: &Machine) -> Machine {
    let clean = || Some(Machine::now(cluster)).filter(|now| now.added_since(before).is_empty());
    wait::until("the machine to be as it was", Duration::from_secs(10), clean)
        .unwrap_or_else(|_| Machine::now(cluster))
}
