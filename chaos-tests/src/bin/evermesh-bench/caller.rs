//! An application that wants a service while its node comes up.

use std::{
    io::{self, Read as _},
    net::{IpAddr, SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use evermesh_chaos_tests::{
    istiod,
    pod::{Node, Pod},
    sandbox::Sandbox,
    server::{NAME_LEN, Name, Ports, ServerProcess},
    wait,
};
use evermesh_pins::{Enrolment, PinDir};
use evermesh_proto::workload::{Service, Workload};

const NAMESPACE: &str = "caller";
const SERVICE: &str = "web";
const VIP: [u8; 4] = [10, 255, 0, 10];
const PORT: u16 = 80;
const TARGET: u16 = 8080;
const PORTS: [(u32, u32); 1] = [(PORT as u32, TARGET as u32)];
const PATIENCE: Duration = Duration::from_secs(60);

/// A pod that asks for a service, and serves it.
pub struct Caller {
    _server: ServerProcess,
    pod: Pod,
}

impl Caller {
    pub fn new(sandbox: &Sandbox) -> Result<Self> {
        let pod = Node::new(sandbox)?.pod("caller")?;
        let vip = IpAddr::from(VIP);
        // Who is not translated is refused at once.
        pod.netns().ip(&format!("route add unreachable {vip}\n"))?;
        let ports = Ports { greeting: vec![TARGET], ..Ports::default() };
        Ok(Self { _server: ServerProcess::start(&pod, &ports)?, pod })
    }

    pub fn service() -> Service {
        istiod::service(NAMESPACE, SERVICE, [VIP], PORTS)
    }

    pub fn workload(&self) -> Workload {
        let service = istiod::service_name(NAMESPACE, SERVICE);
        istiod::workload("caller/web", self.pod.ipv4().octets(), [(service.as_str(), PORTS)])
    }

    /// When a connection to the service reaches it for the first time. The pod is enrolled as soon as that can be done.
    pub fn first_connection(&self, bpffs: &Path) -> Result<Instant> {
        let pins = PinDir::new(bpffs);
        let enrol = || Enrolment::open(&pins).ok()?.add(self.pod.name(), self.pod.netns().path()).ok();
        wait::until("the pod to be enrolled", PATIENCE, enrol)?;
        let served = || self.is_served().unwrap_or(false).then(Instant::now);
        Ok(self.pod.enter(|| wait::until("the service to answer", PATIENCE, served))??)
    }

    fn is_served(&self) -> io::Result<bool> {
        let mut name = [0; NAME_LEN];
        TcpStream::connect(SocketAddr::new(IpAddr::from(VIP), PORT))?.read_exact(&mut name)?;
        Ok(Name::from_bytes(name).to_string() == self.pod.name())
    }
}
