use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use evermesh_chaos_tests::sandbox::mounts;

/// Where programs of Kubernetes put something when nobody stops them. Others may change the rest of the machine meanwhile.
const PLACES: [&str; 19] = [
    "/etc/cni",
    "/etc/kubernetes",
    "/opt/cni",
    "/opt/containerd",
    "/run/containerd",
    "/run/evermesh",
    "/run/evermesh-cluster",
    "/run/kubernetes",
    "/run/netns",
    "/run/runc",
    "/run/xtables.lock",
    "/sys/fs/bpf",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/evermesh",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
];

/// What mounts and cgroups of a cluster have in their names.
const WORDS: [&str; 5] = ["cni", "containerd", "evermesh", "kube", "pods"];

/// What a kubelet changes where it may.
const SETTINGS: [&str; 6] = [
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// The state of this machine as far as one cluster could change it, found without asking the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine(BTreeSet<String>);

impl Machine {
    /// As the cluster of that name may have made it.
    pub fn now(cluster: &str) -> Self {
        let mounts = mounts::list().unwrap();
        let hierarchies = mounts.iter().filter(|mount| mount.filesystem.starts_with("cgroup"));
        let cgroups =
            hierarchies.flat_map(|mount| tree(&mount.point)).map(|dir| format!("cgroup {}", dir.display()));
        let points = mounts.iter().map(|mount| format!("mount {}", mount.point.display()));
        let named = cgroups.chain(points).filter(|what| WORDS.iter().any(|word| what.contains(word)));
        let links =
            entries(Path::new("/sys/class/net")).into_iter().map(|link| format!("link {}", link.display()));
        let settings = SETTINGS.iter().map(|name| format!("setting {name} is {}", setting(name)));
        let all = named.chain(links).chain(files()).chain(settings).chain(processes(cluster));
        // Other tests may run beside this one, and other clusters.
        let of_others = |what: &String| {
            what.contains("evermesh-sandbox") || what.contains("evermesh-cluster") && !what.contains(cluster)
        };
        Self(all.filter(|what| !of_others(what)).collect())
    }

    /// What has appeared since `before`.
    pub fn added_since<'a>(&'a self, before: &'a Self) -> Vec<&'a str> {
        self.0.difference(&before.0).map(String::as_str).collect()
    }
}

/// The places themselves and what is in them.
fn files() -> impl Iterator<Item = String> {
    let kube = PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".kube");
    let places = PLACES.iter().map(PathBuf::from).chain([kube]).filter(|place| place.exists());
    places
        .flat_map(|place| [entries(&place), vec![place]].concat())
        .map(|path| format!("file {}", path.display()))
}

/// Processes that have to do with the cluster, and the namespaces that they are in.
fn processes(cluster: &str) -> impl Iterator<Item = String> {
    let of_cluster = move |dir: &PathBuf| {
        let named = ["cgroup", "mountinfo", "cmdline"].iter().any(|file| names(cluster, &dir.join(file)));
        named && !is_outside(cluster, dir)
    };
    entries(Path::new("/proc")).into_iter().filter(of_cluster).flat_map(|dir| {
        let namespaces = ["net", "mnt"].map(|kind| fs::read_link(dir.join("ns").join(kind)));
        let namespaces = namespaces.into_iter().flatten().map(|id| format!("namespace {}", id.display()));
        namespaces.chain([format!("process {}", dir.display())])
    })
}

/// A mount or a cgroup of the cluster, or one of its paths among the arguments.
fn names(cluster: &str, file: &Path) -> bool {
    let text = read(file);
    text.contains(&format!("/run/evermesh-cluster/{cluster}")) || text.contains(&cgroup(cluster))
}

/// Whoever is where this process is sees the mounts of clusters, and has no part in them.
fn is_outside(cluster: &str, dir: &Path) -> bool {
    let mounts_of = |path: &Path| fs::read_link(path.join("ns/mnt")).ok();
    let in_cgroup = read(&dir.join("cgroup")).contains(&cgroup(cluster));
    mounts_of(dir) == mounts_of(Path::new("/proc/self")) && !in_cgroup
}

fn cgroup(cluster: &str) -> String {
    format!("/evermesh-cluster-{cluster}")
}

fn setting(name: &str) -> String {
    read(&Path::new("/proc/sys").join(name)).trim().to_owned()
}

fn read(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn tree(dir: &Path) -> Vec<PathBuf> {
    let dirs = entries(dir).into_iter().filter(|path| path.is_dir() && !path.is_symlink());
    dirs.flat_map(|dir| [vec![dir.clone()], tree(&dir)].concat()).collect()
}
