//! Pods: network namespaces on one bridge, which stands in a namespace of the sandbox too. The host's own
//! namespace is never touched.

mod address;
mod counter;
mod node;
mod visit;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    process::Command,
};

pub use node::Node;
use visit::Visit;

use crate::{
    Error, Result, binaries,
    netns::Netns,
    process::Process,
    sandbox::Cgroup,
    sys::{self, Placement},
};

/// A network namespace with an IPv4 and an IPv6 address, and a cgroup of its own below the hooked one.
#[derive(Clone, Debug)]
pub struct Pod {
    name: String,
    netns: Netns,
    cgroup: Cgroup,
    log_dir: PathBuf,
    number: u16,
}

impl Pod {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> Ipv4Addr {
        address::v4(self.number)
    }

    /// Its IPv6 address.
    pub fn ipv6(&self) -> Ipv6Addr {
        address::v6(self.number)
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
        sys::place(&mut command, self.placement()?);
        let program = PathBuf::from(command.get_program());
        let output = command.output().map_err(|source| Error::Spawn { program, source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(Error::Command { command: text, status: output.status, stderr })
    }

    /// Runs `work` inside, on a thread of its own, while the whole of this process is one of the pod's.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let _visit = Visit::begin(&self.cgroup)?;
        self.netns.enter(|| Ok(work()))
    }

    /// Its cgroup.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    fn placement(&self) -> Result<Placement> {
        Ok(Placement { netns: Some(self.netns.open()?), cgroup_procs: self.cgroup.open_procs()? })
    }

    /// How often a connection was turned away at a full accept queue here, since the pod was made.
    pub fn listen_overflows(&self) -> Result<u64> {
        Ok(self.tcp_counter("ListenOverflows")?.max(self.tcp_counter("ListenDrops")?))
    }

    /// A counter of the pod's TCP, such as `TCPFastOpenActive`; 0 for one that the kernel does not have.
    pub fn tcp_counter(&self, name: &str) -> Result<u64> {
        self.netns.enter(|| counter::tcp(name))
    }
}
