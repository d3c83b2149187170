//! Pods: network namespaces on one bridge, which stands in a namespace of the sandbox too. The host's own
//! namespace is never touched.

use std::{
    cell::Cell,
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::Command,
};

use crate::{
    Error, Result, binaries,
    netns::Netns,
    process::Process,
    sandbox::{Cgroup, Sandbox},
    sys::Placement,
};

/// First addresses of the pods' networks, 10.244.0.0/16 and fd00:244::/64; the node has number 1.
const POD_NET_V4: u32 = 0x0af4_0000;
const POD_NET_V6: u128 = 0xfd00_0244 << 96;

/// The network that pods hang on.
#[derive(Debug)]
pub struct Node {
    netns: Netns,
    netns_dir: PathBuf,
    log_dir: PathBuf,
    cgroup: Cgroup,
    next: Cell<u16>,
}

/// A network namespace with an IPv4 and an IPv6 address, and a cgroup of its own below the hooked one.
#[derive(Clone, Debug)]
pub struct Pod {
    name: String,
    netns: Netns,
    cgroup: Cgroup,
    log_dir: PathBuf,
    number: u16,
}

impl Node {
    /// Makes the bridge, in a namespace of `sandbox`.
    pub fn new(sandbox: &Sandbox) -> Result<Self> {
        let netns = Netns::create(sandbox.netns_dir().join("node"))?;
        netns.set_sysctls(NO_DAD)?;
        let (v4, v6) = (address_v4(1), address_v6(1));
        netns.ip(&format!(
            "link set lo up\n\
             link add br0 type bridge stp_state 0 mcast_snooping 0\n\
             link set br0 up\n\
             addr add {v4}/16 dev br0\n\
             addr add {v6}/64 dev br0\n"
        ))?;
        netns.set_sysctls(&[("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1")])?;
        Ok(Self {
            netns,
            netns_dir: sandbox.netns_dir(),
            log_dir: sandbox.log_dir(),
            cgroup: sandbox.pods_cgroup().clone(),
            next: Cell::new(2),
        })
    }

    /// Adds a pod. Its name must be a file name of at most 16 bytes, unique in the sandbox.
    pub fn pod(&self, name: &str) -> Result<Pod> {
        let number = self.next.replace(self.next.get() + 1);
        let netns = Netns::create(self.netns_dir.join(name))?;
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
        let (v4, v6, gateway4, gateway6) = (pod.ipv4(), pod.ipv6(), address_v4(1), address_v6(1));
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

/// No shortage of source ports, no queue that a fast client could fill.
const POD_SYSCTLS: &[(&str, &str)] = &[
    ("core/somaxconn", "65535"),
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_max_syn_backlog", "65535"),
];

impl Pod {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> Ipv4Addr {
        address_v4(self.number)
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Ipv6Addr {
        address_v6(self.number)
    }

    /// Both addresses.
    pub fn addresses(&self) -> [IpAddr; 2] {
        [self.ipv4().into(), self.ipv6().into()]
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Where its processes' files may stand, for example recordings.
    pub fn file(&self, name: &str) -> PathBuf {
        self.log_dir.join(name)
    }

    /// Starts `command` inside, known as `what` (unique in the sandbox).
    pub fn spawn(&self, what: &str, command: Command) -> Result<Process> {
        Process::spawn(what, command, self.placement()?, &self.log_dir)
    }

    /// Fetches the page at `/` of an HTTP server from inside.
    pub fn fetch(&self, target: SocketAddr) -> Result<String> {
        let mut command = Command::new(binaries::find("evermesh-rig")?);
        command.arg("fetch").arg(target.to_string());
        self.run(command)
    }

    /// Runs `command` inside to its end, and gives what it printed.
    pub fn run(&self, mut command: Command) -> Result<String> {
        let text = format!("{command:?}");
        crate::sys::place(&mut command, self.placement()?);
        let program = PathBuf::from(command.get_program());
        let output = command.output().map_err(|source| Error::Spawn { program, source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Command { command: text, status: output.status, stderr })
    }

    fn placement(&self) -> Result<Placement> {
        Ok(Placement { netns: Some(self.netns.open()?), cgroup_procs: self.cgroup.open_procs()? })
    }

    /// How often a connection was turned away at a full accept queue here, since the pod was made.
    pub fn listen_overflows(&self) -> Result<u64> {
        let path = "/proc/thread-self/net/netstat";
        let text = self.netns.enter(|| fs::read_to_string(path).map_err(Error::path("read", path)))?;
        Ok(tcp_ext(&text, "ListenOverflows").max(tcp_ext(&text, "ListenDrops")))
    }
}

/// A counter of the `TcpExt` lines: one of names, then one of values.
fn tcp_ext(netstat: &str, name: &str) -> u64 {
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(n, _)| *n == name).and_then(|(_, v)| v.parse().ok()).unwrap_or(0)
}

fn address_v4(number: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(POD_NET_V4 + u32::from(number))
}

fn address_v6(number: u16) -> Ipv6Addr {
    Ipv6Addr::from_bits(POD_NET_V6 + u128::from(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_follow_the_number() {
        assert_eq!(address_v4(259).to_string(), "10.244.1.3");
        assert_eq!(address_v6(259).to_string(), "fd00:244::103");
    }

    #[test]
    fn counters_are_found_by_name() {
        let text = "TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 3 7\nIpExt: A B\nIpExt: 1 2\n";
        assert_eq!(tcp_ext(text, "ListenOverflows"), 7);
        assert_eq!(tcp_ext(text, "Absent"), 0);
    }
}
