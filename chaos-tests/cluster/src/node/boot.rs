use std::{fs, path::Path};

use evermesh_chaos_tests::{netns::Netns, sandbox::mounts};

use super::settings;
use crate::{
    Error, Istiod, Result, address,
    identity::{Authority, Identity},
    layout::{Layout, ROOT},
    mount_namespace::{self, bind, bind_content, mount_new},
};

/// Directories that every node has of its own: where they are kept, and where they stand on the node. `/run` comes last,
/// because the first column lies below it.
pub(super) const OWN: [(&str, &str); 3] = [("lib", "/var/lib"), ("log", "/var/log"), ("run", "/run")];

/// What a kubelet insists on, and would change on the whole machine. It finds it on its node already.
const KERNEL_SETTINGS: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Makes everything a node needs before a program runs on it, and gives its network namespace.
pub(super) fn boot(
    layout: &Layout,
    (number, nodes): (usize, usize),
    control_plane: &Netns,
    authority: &Authority,
) -> Result<Netns> {
    let dir = layout.node(number);
    for name in ["lib/containerd", "log", "run", "bound"].map(|name| dir.join(name)) {
        fs::create_dir_all(&name).map_err(Error::path("create", name))?;
    }
    let lib = dir.join("lib");
    settings::write(layout.name(), number, &lib)?;
    let name = format!("system:node:node{number}");
    let identity = Identity { user: &name, group: Some("system:nodes"), addresses: &[] };
    authority.issue(&identity, &lib.join(settings::IDENTITY))?;
    let netns = network(layout, (number, nodes), control_plane)?;
    mount_namespace::create(&layout.node_mount_namespace(number), || furnish(&dir))?;
    Ok(netns)
}

/// In the node's mount namespace.
fn furnish(dir: &Path) -> Result<()> {
    // Copies of what is mounted for clusters would keep it alive.
    mounts::unmount_below(Path::new(ROOT))?;
    for (setting, value) in KERNEL_SETTINGS {
        bind_content(value, &dir.join("bound"), &Path::new("/proc/sys").join(setting))?;
    }
    bind_content(&hosts(), &dir.join("bound"), Path::new("/etc/hosts"))?;
    mount_new("bpf", Path::new("/sys/fs/bpf"))?;
    OWN.iter().try_for_each(|(name, at)| bind(&dir.join(name), Path::new(at)))?;
    // containerd waits for the disk again and again, and whatever else writes to it would make nodes wait.
    mount_new("tmpfs", Path::new("/var/lib/containerd"))
}

/// There is no name server: what a node must find by its name stands here.
fn hosts() -> String {
    format!("127.0.0.1 localhost\n{} {}\n", address::CONTROL_PLANE, Istiod::NAME)
}

/// Connects the node to the control plane's bridge, and tells everybody where its pods are.
fn network(layout: &Layout, (number, nodes): (usize, usize), control_plane: &Netns) -> Result<Netns> {
    let netns = Netns::create(layout.node_netns(number))?;
    let (own, gateway, prefix) = (address::node(number), address::CONTROL_PLANE, address::NODE_NET);
    let outside = control_plane.path().display();
    let others = (1..=nodes).filter(|&other| other != number);
    let routes: String = others
        .map(|other| format!("route add {} via {}\n", address::pods(other), address::node(other)))
        .collect();
    netns.ip(&format!(
        "link set lo up\n\
         link add eth0 type veth peer name node{number} netns {outside}\n\
         addr add {own}/{prefix} dev eth0\n\
         link set eth0 up\n\
         route add default via {gateway}\n\
         {routes}"
    ))?;
    netns.set_sysctls(&[("ipv4/ip_forward", "1")])?;
    control_plane.ip(&format!(
        "link set node{number} master br0 up\n\
         route add {} via {own}\n",
        address::pods(number)
    ))?;
    Ok(netns)
}
