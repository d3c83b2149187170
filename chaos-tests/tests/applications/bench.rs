//! What the tests stand on: services, pods behind them, and one pod for the application. Only the application's own
//! cgroup is hooked, so that whatever runs in a hook is its doing.

use std::{
    any::type_name,
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use evermesh_chaos_tests::{
    pod::{Node, Pod},
    sandbox::Sandbox,
    server::{Ports, ServerProcess},
};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::{Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid};
use evermesh_pins::{Enrolment, PinDir, host};

use crate::{hooks, table};

/// A service's name and its virtual IPs.
pub struct Frontend {
    name: &'static str,
    v4: &'static str,
    v6: &'static str,
}

pub const WEB: Frontend = Frontend { name: "web", v4: "10.96.0.10", v6: "fd00:96::a" };
pub const OTHER: Frontend = Frontend { name: "other", v4: "10.96.0.20", v6: "fd00:96::14" };
/// With the endpoint of [`OTHER`].
pub const TWIN: Frontend = Frontend { name: "twin", v4: "10.96.0.21", v6: "fd00:96::15" };
/// Without endpoints.
pub const NOBODY: Frontend = Frontend { name: "nobody", v4: "10.96.0.30", v6: "fd00:96::1e" };

/// Ports of every service.
pub const ECHO: u16 = 7;
/// Nothing listens behind it.
pub const SILENT: u16 = 9;
/// What stands behind it is for the test to start, as with [`QUIC`].
pub const DNS: u16 = 53;
pub const HTTP: u16 = 80;
pub const QUIC: u16 = 443;

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The port in the pods behind a port of a service.
pub const fn target(port: u16) -> u16 {
    7000 + port
}

impl Frontend {
    /// At the IPv4 address.
    pub fn v4(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.v4.parse().unwrap(), port)
    }

    /// At the IPv6 address.
    pub fn v6(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.v6.parse().unwrap(), port)
    }

    /// At both addresses.
    pub fn both(&self, port: u16) -> [SocketAddr; 2] {
        [self.v4(port), self.v6(port)]
    }

    fn key(&self) -> ServiceKey {
        ServiceKey {
            namespace: "demo".into(),
            hostname: format!("{}.demo.svc.cluster.local", self.name).into(),
        }
    }

    fn service(&self) -> Service {
        let vip = |text: &str| VirtualIp { network: String::new().into(), address: text.parse().unwrap() };
        let port = |port| Port::new(target(port), vec![Protocol::Tcp, Protocol::Udp]);
        let ports = [ECHO, SILENT, DNS, HTTP, QUIC].map(|number| (number, port(number)));
        Service {
            name: self.name.into(),
            key: self.key(),
            vips: [self.v4, self.v6].map(vip).to_vec(),
            ports: BTreeMap::from(ports),
            ..Service::default()
        }
    }
}

/// Declared in the order in which things must go.
pub struct Bench {
    plane: Mutex<DataPlane>,
    generation: u32,
    _servers: Vec<ServerProcess>,
    /// Behind [`WEB`].
    pub web: [Pod; 2],
    /// Behind [`OTHER`].
    pub other: Pod,
    /// The application's.
    pub client: Pod,
    pub sandbox: Sandbox,
}

impl Bench {
    pub fn new() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let node = Node::new(&sandbox).unwrap();
        let [first, second, other, client] =
            ["web-1", "web-2", "other", "client"].map(|name| node.pod(name).unwrap());
        let ports = Ports {
            greeting: vec![target(ECHO)],
            http: vec![target(HTTP)],
            udp: vec![target(ECHO)],
            ..Ports::default()
        };
        let servers = [&first, &second, &other].map(|pod| ServerProcess::start(pod, &ports).unwrap()).into();
        let web = [first, second];
        let (plane, started) =
            DataPlane::start(config(&sandbox, &client), Some(&mesh(&web, &other))).unwrap();
        enrol(&sandbox, &client);
        let plane = Mutex::new(plane);
        Self { plane, generation: started.generation, _servers: servers, web, other, client, sandbox }
    }

    /// Does `work` as the application, on a thread in its pod. The hooks that run must be those that the table names for
    /// the calling test, which is found by the name of its closure.
    pub fn run<T: Send, F: FnOnce() -> T + Send>(&self, work: F) -> T {
        let (done, ran) =
            hooks::during(&pins(&self.sandbox), self.generation, || self.client.enter(work).unwrap());
        let closure = type_name::<F>();
        let (_, test) = closure.split_once("::").unwrap();
        let row = table::row(test.trim_end_matches("::{{closure}}"));
        assert_eq!(ran, row.hooks, "hooks that ran, and hooks of the row");
        done
    }

    /// Takes the pod of that name away from behind [`WEB`].
    pub fn take_away(&self, name: &str) {
        let others = self.web.iter().filter(|pod| pod.name() != name);
        self.plane.lock().unwrap().apply(&mesh(others, &self.other)).unwrap();
    }
}

fn pins(sandbox: &Sandbox) -> PinDir {
    PinDir::new(sandbox.bpffs())
}

fn config(sandbox: &Sandbox, client: &Pod) -> Config {
    let cgroup = host::cgroup(Some(client.cgroup().path())).unwrap();
    Config {
        node: "node-1".into(),
        sizes: TableSizes { services: 256, endpoints: 1024, ..TableSizes::DEFAULT },
        ..Config::new(pins(sandbox), cgroup, sandbox.dir())
    }
}

fn enrol(sandbox: &Sandbox, pod: &Pod) {
    Enrolment::open(&pins(sandbox)).unwrap().add(pod.name(), pod.netns().path()).unwrap();
}

fn mesh<'a>(web: impl IntoIterator<Item = &'a Pod>, other: &Pod) -> Snapshot {
    let behind_web = web.into_iter().map(|pod| workload(pod, &[WEB]));
    let workloads = behind_web.chain([workload(other, &[OTHER, TWIN])]);
    Snapshot::new([WEB, OTHER, TWIN, NOBODY].map(|frontend| frontend.service()), workloads, []).unwrap()
}

fn workload(pod: &Pod, frontends: &[Frontend]) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/{}", pod.name())),
        name: pod.name().into(),
        namespace: "demo".into(),
        addresses: pod.addresses().to_vec().into(),
        services: frontends.iter().map(|frontend| (frontend.key(), BTreeMap::new())).collect(),
        ..Workload::default()
    }
}

/// The pod's own address of the family of `like`.
pub fn own(pod: &Pod, like: SocketAddr) -> IpAddr {
    if like.is_ipv4() { pod.ipv4().into() } else { pod.ipv6().into() }
}
