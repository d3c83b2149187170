//! One pod in which everything happens, so that no wire adds noise: client, server, and the service's endpoint.

use std::{collections::BTreeMap, fs, net::SocketAddr, sync::Arc};

use anyhow::Result;
use evermesh_chaos_tests::{
    pod::{Node, Pod},
    sandbox::{Cgroup, Sandbox},
};
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::{Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid};
use evermesh_pins::{Enrolment, Hook, Inventory, PinDir, host};

use crate::fleet::{Fleet, endpoints};

const VIP: &str = "10.255.0.10";
const PORT: u16 = 80;
pub const TARGET: u16 = 8080;

/// Declared in the order in which things must go.
pub struct Mesh {
    plane: DataPlane,
    pod: Pod,
    inside: Cgroup,
    outside: Cgroup,
    pins: PinDir,
    sandbox: Sandbox,
}

impl Mesh {
    /// The service that is measured stands beside so many others.
    pub fn new(others: u32) -> Result<Self> {
        let sandbox = Sandbox::new()?;
        let pod = Node::new(&sandbox)?.pod("bench")?;
        let pins = PinDir::new(sandbox.bpffs());
        let cgroup = host::cgroup(Some(sandbox.pods_cgroup().path()))?;
        let config = Config {
            sizes: TableSizes {
                services: others + 2,
                endpoints: endpoints(others + 2),
                ..TableSizes::DEFAULT
            },
            ..Config::new(pins.clone(), cgroup, sandbox.dir())
        };
        let (plane, _) = DataPlane::start(config, Some(&snapshot(&pod, Fleet::new(others))?))?;
        Enrolment::open(&pins)?.add(pod.name(), pod.netns().path())?;
        let inside = sandbox.pods_cgroup().child("sockets");
        let outside = sandbox.mesh_cgroup().child("sockets");
        [&inside, &outside].into_iter().try_for_each(Cgroup::create)?;
        Ok(Self { plane, pod, inside, outside, pins, sandbox })
    }

    /// Where the server really is.
    pub fn direct(&self) -> SocketAddr {
        SocketAddr::new(self.pod.ipv4().into(), TARGET)
    }

    /// Where applications ask for it.
    pub fn service(&self) -> Result<SocketAddr> {
        Ok(SocketAddr::new(VIP.parse()?, PORT))
    }

    /// Runs `work` on a thread in the pod's namespace.
    pub fn in_pod<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.pod.netns().enter(|| Ok(work()))?
    }

    /// Sockets made from now on belong to a cgroup below the hooked one, or to one as deep that is not.
    pub fn hooked(&self, hooked: bool) -> Result<()> {
        enter(if hooked { &self.inside } else { &self.outside })
    }

    /// How often each program ran.
    pub fn runs(&self) -> Result<BTreeMap<Hook, u64>> {
        let inventory = Inventory::read(&self.pins)?;
        let programs = inventory.generations.values().flat_map(|generation| &generation.programs);
        Ok(programs.map(|(hook, program)| (*hook, program.info.run_count)).collect())
    }

    /// Takes everything away and checks that it is gone.
    pub fn close(self) -> Result<()> {
        enter(&Cgroup::root()?)?;
        let Self { plane, sandbox, .. } = self;
        drop(plane);
        Ok(sandbox.close()?)
    }
}

fn enter(cgroup: &Cgroup) -> Result<()> {
    Ok(fs::write(cgroup.path().join("cgroup.procs"), std::process::id().to_string())?)
}

fn snapshot(pod: &Pod, mut fleet: Fleet) -> Result<Snapshot> {
    let key = ServiceKey { namespace: "bench".into(), hostname: "web.bench".into() };
    let port = Port::new(TARGET, vec![Protocol::Tcp, Protocol::Udp]);
    let vips = vec![VirtualIp { network: String::new().into(), address: VIP.parse()? }];
    let service = Service {
        name: "web".into(),
        key: key.clone(),
        vips,
        ports: BTreeMap::from([(PORT, port)]),
        ..Service::default()
    };
    let workload = Workload {
        uid: WorkloadUid::new("bench/web"),
        name: "web".into(),
        namespace: "bench".into(),
        addresses: pod.addresses().to_vec().into(),
        services: [(key, BTreeMap::new())].into(),
        ..Workload::default()
    };
    fleet.services.push(Arc::new(service));
    fleet.workloads.push(Arc::new(workload));
    fleet.snapshot()
}
