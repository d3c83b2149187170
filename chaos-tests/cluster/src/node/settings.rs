//! Configuration files of a node, as they stand in its `/var/lib`.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{ClusterName, Error, Result, address, image::PAUSE, programs};

/// Where containerd takes requests.
pub(super) const CONTAINERD_SOCKET: &str = "/run/containerd/containerd.sock";
/// What the kubelet proves itself by.
pub(super) const IDENTITY: &str = "kubelet/identity";

const CONTAINERD: &str = "evermesh-cluster/containerd.toml";
const KUBELET: &str = "evermesh-cluster/kubelet.json";
const CNI: &str = "evermesh-cluster/cni/10-cluster.conflist";

/// Writes all of them below `lib`.
pub(super) fn write(cluster: &ClusterName, number: usize, lib: &Path) -> Result<()> {
    let node_cgroup = format!("/{}/node{number}", cluster.cgroup());
    for (name, content) in [
        (CONTAINERD, containerd(programs::cni_plugins()?)),
        (KUBELET, kubelet(number, &node_cgroup).to_string()),
        (CNI, cni(number).to_string()),
    ] {
        let path = lib.join(name);
        let dir = path.parent().unwrap_or(lib);
        fs::create_dir_all(dir).map_err(Error::path("create", dir))?;
        fs::write(&path, content).map_err(Error::path("write", &path))?;
    }
    Ok(())
}

pub(super) fn containerd_arguments() -> [String; 1] {
    [format!("--config=/var/lib/{CONTAINERD}")]
}

pub(super) fn kubelet_arguments(number: usize) -> [String; 4] {
    [
        format!("--config=/var/lib/{KUBELET}"),
        format!("--kubeconfig=/var/lib/{IDENTITY}/kubeconfig"),
        format!("--hostname-override=node{number}"),
        format!("--node-ip={}", address::node(number)),
    ]
}

fn containerd(cni_plugins: &Path) -> String {
    let (plugins, cni) = (cni_plugins.display(), Path::new(CNI).parent().unwrap_or(Path::new("")).display());
    format!(
        r#"version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
  # Without CAP_SYS_RESOURCE nobody can lower a score, and runc would end without a word.
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "/var/lib/{cni}"
"#
    )
}

fn kubelet(number: usize, node_cgroup: &str) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": address::node(number),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": format!("/var/lib/{IDENTITY}/ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": format!("unix://{CONTAINERD_SOCKET}"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": node_cgroup,
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        "localStorageCapacityIsolation": false,
        // A node has the disk and the memory of the whole machine: others may fill them.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "makeIPTablesUtilChains": false,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    })
}

fn cni(number: usize) -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "cluster",
        "plugins": [{
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": address::pods(number)}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }],
    })
}
