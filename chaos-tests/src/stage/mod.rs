//! What most tests and the demo need: three pods behind a service, a pod full of clients, and a trap behind the
//! virtual IPs for whoever is not translated.

pub mod config;
mod play;
mod traffic;

use evermesh_pins::{Enrolment, EnrolmentError, PinDir};

use config::{ANSWER, HTTP, STREAM, UNKNOWN_PORT, VIRTUAL_NETS};
pub use play::under_traffic;
pub use traffic::{Traffic, expect, targets};

use crate::{
    Result,
    pod::{Node, Pod},
    sandbox::Sandbox,
    server::{Ports, ServerProcess},
};

/// Pods and what serves in them.
#[derive(Debug)]
pub struct Stage {
    /// Behind the service.
    pub web: Vec<Pod>,
    /// Where all attempts come from.
    pub client: Pod,
    /// Meets every connection to a virtual IP that was not translated.
    trap: Pod,
    _servers: Vec<ServerProcess>,
    overflows: Vec<u64>,
}

impl Stage {
    /// Makes the pods and starts the servers.
    pub fn new(sandbox: &Sandbox) -> Result<Self> {
        let node = Node::new(sandbox)?;
        let web = ["web-1", "web-2", "web-3"].into_iter().map(|n| node.pod(n)).collect::<Result<Vec<_>>>()?;
        let (client, trap) = (node.pod("client")?, node.pod("trap")?);
        let [net4, net6] = VIRTUAL_NETS;
        node.trap(&trap, net4, net6)?;
        let serve = |pod| ServerProcess::start(pod, &web_ports());
        let mut servers = web.iter().map(serve).collect::<Result<Vec<_>>>()?;
        servers.push(ServerProcess::start(&trap, &trap_ports())?);
        let mut stage = Self { web, client, trap, _servers: servers, overflows: Vec::new() };
        stage.overflows = stage.listen_overflows()?;
        Ok(stage)
    }

    /// The pods whose traffic is balanced.
    pub fn enrolled(&self) -> impl Iterator<Item = &Pod> {
        self.web.iter().chain([&self.client])
    }

    /// Enrols them where no agent needs to know.
    pub fn enrol(&self, pins: &PinDir) -> std::result::Result<(), EnrolmentError> {
        let enrolment = Enrolment::open(pins)?;
        self.enrolled().try_for_each(|pod| enrolment.add(pod.name(), pod.netns().path()).map(drop))
    }

    /// Pods with servers, and how often connections were turned away there, when the stage was made and now.
    pub fn listen_overflows_since(&self) -> Result<Vec<(&str, u64, u64)>> {
        let now = self.listen_overflows()?;
        let before = self.overflows.iter().copied();
        Ok(self.serving().map(Pod::name).zip(before).zip(now).map(|((name, b), n)| (name, b, n)).collect())
    }

    fn listen_overflows(&self) -> Result<Vec<u64>> {
        self.serving().map(Pod::listen_overflows).collect()
    }

    fn serving(&self) -> impl Iterator<Item = &Pod> {
        self.web.iter().chain([&self.trap])
    }
}

fn web_ports() -> Ports {
    Ports {
        http: vec![HTTP.target],
        greeting: vec![ANSWER.target],
        stream: vec![STREAM.target],
        udp: vec![ANSWER.target],
        ..Ports::default()
    }
}

/// All that the clients try, as if virtual IPs were real ones.
fn trap_ports() -> Ports {
    Ports {
        http: vec![HTTP.port],
        greeting: vec![ANSWER.port, STREAM.port, UNKNOWN_PORT],
        udp: vec![ANSWER.port, UNKNOWN_PORT],
        ..Ports::default()
    }
}
