//! What the tests stand on: a mesh of pods, and a data plane over it.

use std::{collections::BTreeMap, fs, path::Path};

use evermesh_chaos_tests::{
    pod::{Node, Pod},
    sandbox::Sandbox,
    server::{Ports, ServerProcess},
};
use evermesh_loader::{
    Config, DataPlane, Started, TableSizes,
    tables::{self, State, TableWriter},
};
use evermesh_model::{Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid};
use evermesh_pins::{Enrolment, Inventory, PinDir, TablesView, host};

pub const VIP4: &str = "10.96.0.10";
pub const VIP6: &str = "fd00:96::a";
pub const PORT: u16 = 80;
pub const TARGET: u16 = 8080;
pub const NODE: &str = "node-1";
pub const SIZES: TableSizes = TableSizes { services: 256, endpoints: 1024, ..TableSizes::DEFAULT };

/// Declared in the order in which things must go.
pub struct Bench {
    _servers: Vec<ServerProcess>,
    pub web: Vec<Pod>,
    pub client: Pod,
    pub sandbox: Sandbox,
}

impl Bench {
    pub fn new() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let node = Node::new(&sandbox).unwrap();
        let web: Vec<Pod> = ["web-1", "web-2"].iter().map(|name| node.pod(name).unwrap()).collect();
        let ports = Ports { greeting: vec![TARGET], udp: vec![TARGET], ..Ports::default() };
        let servers = web.iter().map(|pod| ServerProcess::start(pod, &ports).unwrap()).collect();
        let client = node.pod("client").unwrap();
        Self { _servers: servers, web, client, sandbox }
    }

    pub fn pins(&self) -> PinDir {
        PinDir::new(self.sandbox.bpffs())
    }

    pub fn config(&self) -> Config {
        let cgroup = host::cgroup(Some(self.sandbox.pods_cgroup().path())).unwrap();
        Config { node: NODE.into(), sizes: SIZES, ..Config::new(self.pins(), cgroup, self.sandbox.dir()) }
    }

    pub fn start(&self, snapshot: Option<&Snapshot>) -> (DataPlane, Started) {
        DataPlane::start(self.config(), snapshot).unwrap()
    }

    /// What the tables of the first generation hold, and who writes them.
    pub fn tables(&self) -> (State, TableWriter) {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let generation = &inventory.generations[&1];
        let writer = TableWriter::new(|table| generation.tables.get(&table)).unwrap();
        (tables::adopt(&TablesView::open(&self.pins(), 1, generation).unwrap()), writer)
    }

    pub fn enrol(&self, pod: &Pod) {
        Enrolment::open(&self.pins()).unwrap().add(pod.name(), pod.netns().path()).unwrap();
    }

    /// What the first generation has counted under this name.
    pub fn counted(&self, name: &str) -> u64 {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let counters = TablesView::counters(&self.pins(), 1, &inventory.generations[&1]).unwrap();
        counters.iter().find(|(counter, _)| *counter == name).unwrap().1
    }

    /// A mesh in which the first `members` pods stand behind the service.
    pub fn mesh(&self, members: usize) -> Snapshot {
        let workloads = self.web.iter().take(members).map(workload);
        Snapshot::new([service_at(key(), &[VIP4, VIP6])], workloads, []).unwrap()
    }
}

pub fn key() -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: "web.demo.svc.cluster.local".into() }
}

/// A service on [`PORT`] with these virtual IPs.
pub fn service_at(key: ServiceKey, vips: &[&str]) -> Service {
    let vip = |text: &&str| VirtualIp { network: String::new().into(), address: text.parse().unwrap() };
    let port = Port::new(TARGET, vec![Protocol::Tcp, Protocol::Udp]);
    let vips = vips.iter().map(vip).collect();
    Service { name: "service".into(), key, vips, ports: BTreeMap::from([(PORT, port)]), ..Service::default() }
}

/// Runs `work` on a thread in the pod's namespace, with the test's own process in the hooked cgroup.
pub fn inside<T: Send>(bench: &Bench, pod: &Pod, work: impl FnOnce() -> T + Send) -> T {
    let within = bench.sandbox.pods_cgroup().child("test");
    if !within.path().exists() {
        within.create().unwrap();
    }
    let join = |directory: &Path| {
        fs::write(directory.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    };
    join(within.path());
    let done = pod.netns().enter(|| Ok(work())).unwrap();
    join(&host::cgroup2_mount().unwrap().unwrap());
    done
}

/// It stands behind the service of [`key`].
pub fn workload(pod: &Pod) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/{}", pod.name())),
        name: pod.name().into(),
        namespace: "demo".into(),
        addresses: pod.addresses().to_vec().into(),
        services: [(key(), BTreeMap::new())].into(),
        ..Workload::default()
    }
}
