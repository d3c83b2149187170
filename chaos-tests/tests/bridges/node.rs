//! A node whose links a test leads from programs to programs, over maps of its own.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use aya::{Ebpf, EbpfLoader, maps::Map, programs::Program};
use evermesh_chaos_tests::{
    pod::{Node as Pods, Pod},
    sandbox::Sandbox,
};
use evermesh_loader::{Config, DataPlane, Object, Part, TableSizes};
use evermesh_model::{Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid};
use evermesh_pins::{Enrolment, Hook, PinDir, Table, host, sys};

pub const PORT: u16 = 80;
pub const TARGET: u16 = 8080;
/// More than one socket remembers.
pub const SERVICES: u16 = 1100;

/// The maps of programs: this release's, and what may stand beside them.
const KINDS: [(Table, &str, [&str; 2]); 2] = [
    (Table::Origins, "ORIGINS", ["ORIGINS_BEFORE", "ORIGINS_BESIDE"]),
    (Table::UdpOrigins, "UDP_ORIGINS", ["UDP_ORIGINS_BEFORE", "UDP_ORIGINS_BESIDE"]),
];

/// Declared in the order in which things must go.
pub struct Node {
    _plane: DataPlane,
    links: BTreeMap<Hook, OwnedFd>,
    client: Pod,
    pins: PinDir,
    entries: u32,
    sandbox: Sandbox,
}

/// A set of the two maps that programs write.
#[derive(Clone)]
pub struct Maps(PathBuf);

impl Maps {
    pub fn path(&self, table: Table) -> PathBuf {
        self.0.join(table.name())
    }

    pub fn open(&self, table: Table) -> OwnedFd {
        match sys::object_get(&self.path(table)).unwrap() {
            sys::Object::Map(fd) => fd,
            other => panic!("a {}", other.kind()),
        }
    }
}

/// Programs that were loaded, and what they are called.
pub struct Programs(Ebpf);

impl Programs {
    fn program(&self, hook: Hook) -> BorrowedFd<'_> {
        self.0.program(hook.name()).unwrap().fd().unwrap().as_fd()
    }
}

impl Node {
    /// With room for so many entries in `udp_origins`.
    pub fn new(entries: u32) -> Self {
        let sandbox = Sandbox::new().unwrap();
        let client = Pods::new(&sandbox).unwrap().pod("client").unwrap();
        let pins = PinDir::new(sandbox.bpffs());
        let cgroup = host::cgroup(Some(sandbox.pods_cgroup().path())).unwrap();
        let sizes = TableSizes { services: 2048, endpoints: 2048, ..TableSizes::DEFAULT };
        let config = Config { sizes, ..Config::new(pins.clone(), cgroup, sandbox.dir()) };
        let (plane, _) = DataPlane::start(config, Some(&mesh())).unwrap();
        Enrolment::open(&pins).unwrap().add(client.name(), client.netns().path()).unwrap();
        let link = |hook| match sys::object_get(&pins.link(hook)).unwrap() {
            sys::Object::Link(fd) => (hook, fd),
            other => panic!("a {}", other.kind()),
        };
        let links = Hook::ALL.map(link).into();
        Self { _plane: plane, links, client, pins, entries, sandbox }
    }

    /// New maps, made by the programs that are loaded first.
    pub fn maps(&self, name: &str) -> Maps {
        let path = self.sandbox.bpffs().join("test").join(name);
        fs::create_dir_all(&path).unwrap();
        Maps(path)
    }

    /// A part of a release over these maps: the others, and this release's.
    pub fn load(&self, object: &Object, part: Part, others: &Maps, current: &Maps) -> Programs {
        let mut loader = EbpfLoader::new();
        for table in Table::OF_GENERATION {
            loader.map_pin_path(table.symbol(), self.pins.table(1, table));
        }
        for table in [Table::Enrolled, Table::Control] {
            loader.map_pin_path(table.symbol(), self.pins.frozen_map(table));
        }
        for (table, symbol, beside) in KINDS {
            loader.map_pin_path(symbol, current.path(table));
            for symbol in beside {
                loader.map_pin_path(symbol, others.path(table));
            }
        }
        for symbol in ["UDP_ORIGINS", "UDP_ORIGINS_BEFORE", "UDP_ORIGINS_BESIDE"] {
            loader.map_max_entries(symbol, self.entries);
        }
        let mut object = loader.load(object.part(part).unwrap()).unwrap();
        for hook in Hook::ALL {
            match object.program_mut(hook.name()).unwrap() {
                Program::CgroupSockAddr(program) => program.load().unwrap(),
                Program::CgroupSock(program) => program.load().unwrap(),
                other => panic!("{hook} is of kind {:?}", other.prog_type()),
            }
        }
        assert!(matches!(object.map("COUNTERS"), Some(Map::PerCpuArray(_))));
        Programs(object)
    }

    /// Leads one link to these programs, whatever it attaches now.
    pub fn switch(&self, hook: Hook, to: &Programs) {
        let link = self.links[&hook].as_fd();
        let now = sys::program_by_id(sys::link_info(link).unwrap().program_id).unwrap();
        sys::link_update(link, to.program(hook), now.as_fd()).unwrap();
    }

    pub fn switch_all(&self, to: &Programs) {
        Hook::ALL.into_iter().for_each(|hook| self.switch(hook, to));
        evermesh_pins::sys::wait_for_programs().unwrap();
    }

    /// Runs `work` in the client's namespace, with the test's own process in the hooked cgroup.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let within = self.sandbox.pods_cgroup().child("test");
        if !within.path().exists() {
            within.create().unwrap();
        }
        join(within.path());
        let done = self.client.netns().enter(|| Ok(work())).unwrap();
        join(&host::cgroup2_mount().unwrap().unwrap());
        done
    }
}

fn join(directory: &Path) {
    fs::write(directory.join("cgroup.procs"), std::process::id().to_string()).unwrap();
}

/// Where service `n` is to be asked.
pub fn frontend(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(10, 100, high, low)
}

/// Its only endpoint. Nobody is there: programs write before a datagram finds no way.
pub fn backend(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(10, 101, high, low)
}

fn mesh() -> Snapshot {
    let key = |n: u16| ServiceKey { namespace: "demo".into(), hostname: format!("s{n}.demo").into() };
    let service = |n: u16| {
        let vip = VirtualIp { network: String::new().into(), address: IpAddr::V4(frontend(n)) };
        let port = Port::new(TARGET, vec![Protocol::Tcp, Protocol::Udp]);
        let ports = BTreeMap::from([(PORT, port)]);
        Service { name: format!("s{n}").into(), key: key(n), vips: vec![vip], ports, ..Service::default() }
    };
    let workload = |n: u16| Workload {
        uid: WorkloadUid::new(format!("demo/w{n}")),
        name: format!("w{n}").into(),
        namespace: "demo".into(),
        addresses: vec![IpAddr::V4(backend(n))].into(),
        services: [(key(n), BTreeMap::new())].into(),
        ..Workload::default()
    };
    Snapshot::new((0..SERVICES).map(service), (0..SERVICES).map(workload), []).unwrap()
}
