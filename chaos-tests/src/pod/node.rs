use std::{
    cell::Cell,
    path::{Path, PathBuf},
};

use super::{
    Pod,
    address::{self, NODE},
};
use crate::{
    Result,
    netns::Netns,
    sandbox::{Cgroup, Sandbox},
};

/// The network that pods hang on.
#[derive(Debug)]
pub struct Node {
    netns: Netns,
    netns_dir: PathBuf,
    log_dir: PathBuf,
    cgroup: Cgroup,
    next: Cell<u16>,
}

impl Node {
    /// Makes the bridge, in a namespace of `sandbox`.
    pub fn new(sandbox: &Sandbox) -> Result<Self> {
        let netns = Netns::create(sandbox.netns_dir().join("node"))?;
        netns.set_sysctls(NO_DAD)?;
        let (v4, v6) = (address::v4(NODE), address::v6(NODE));
        netns.ip(&format!(
            "link set lo up\n\
             link add br0 type bridge stp_state 0 mcast_snooping 0\n\
             link set br0 up\n\
             addr add {v4}/16 dev br0\n\
             addr add {v6}/64 dev br0\n"
        ))?;
        netns.set_sysctls(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
        if udp_tables_can_be_apart() {
            netns.set_sysctls(OWN_UDP_TABLE)?;
        }
        Ok(Self {
            netns,
            netns_dir: sandbox.netns_dir(),
            log_dir: sandbox.log_dir(),
            cgroup: sandbox.pods_cgroup().clone(),
            next: Cell::new(NODE + 1),
        })
    }

    /// Adds a pod. Its name must be a file name of at most 16 bytes, unique in the sandbox.
    pub fn pod(&self, name: &str) -> Result<Pod> {
        let number = self.next.replace(self.next.get() + 1);
        let path = self.netns_dir.join(name);
        let netns = self.netns.enter(|| Netns::create(path))?;
        netns.set_sysctls(NO_DAD)?;
        let cgroup = self.cgroup.child(name);
        cgroup.create()?;
        let pod = Pod { name: name.to_owned(), netns, cgroup, log_dir: self.log_dir.clone(), number };
        self.connect(&pod)?;
        Ok(pod)
    }

    fn connect(&self, pod: &Pod) -> Result<()> {
        let (link, netns) = (format!("pod{}", pod.number), pod.netns.path().display());
        self.netns.ip(&format!(
            "link add {link} type veth peer name eth0 netns {netns}\n\
             link set {link} master br0 up\n"
        ))?;
        let (v4, v6, gateway4, gateway6) = (pod.ipv4(), pod.ipv6(), address::v4(NODE), address::v6(NODE));
        pod.netns.ip(&format!(
            "link set lo up\n\
             link set eth0 up\n\
             addr add {v4}/16 dev eth0\n\
             addr add {v6}/64 dev eth0\n\
             route add default via {gateway4}\n\
             route add default via {gateway6}\n"
        ))?;
        pod.netns.set_sysctls(POD_SYSCTLS)
    }

    /// Leads everything for `net4` and `net6` into `pod`, which takes all of it for its own: whoever gets through
    /// to such an address without being translated meets the servers of this pod.
    pub fn trap(&self, pod: &Pod, net4: &str, net6: &str) -> Result<()> {
        let (v4, v6) = (pod.ipv4(), pod.ipv6());
        self.netns.ip(&format!("route add {net4} via {v4}\nroute add {net6} via {v6}\n"))?;
        pod.netns.ip(&format!("route add local {net4} dev lo\nroute add local {net6} dev lo\n"))
    }
}

/// Interfaces that are made afterwards use their IPv6 addresses at once, also the link-local ones, without which a
/// router cannot ask for its neighbours.
const NO_DAD: &[(&str, &str)] =
    &[("ipv6/conf/default/accept_dad", "0"), ("ipv6/conf/default/dad_transmits", "0")];

/// Namespaces that are made from within this one have a table of UDP sockets of their own, with a bucket for each port.
/// In the one that all share otherwise, a datagram may miss the socket that is bound for it while any other one on the
/// machine, which happens to be in the same bucket, is being connected: the kernel then says that nobody listens.
const OWN_UDP_TABLE: &[(&str, &str)] = &[("ipv4/udp_child_hash_entries", "65536")];

/// Whether the kernel knows such tables, as Linux does since 6.2.
fn udp_tables_can_be_apart() -> bool {
    Path::new("/proc/sys/net").join(OWN_UDP_TABLE[0].0).exists()
}

/// No shortage of source ports, no queue that a fast client could fill.
const POD_SYSCTLS: &[(&str, &str)] = &[
    ("core/somaxconn", "65535"),
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_max_syn_backlog", "65535"),
];
