//! A node whose data plane this process drives.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use evermesh_agent::source;
use evermesh_chaos_tests::{
    binaries,
    clock::now_ns,
    oracle::{Event, Report},
    sandbox::Sandbox,
    stage::{Stage, Traffic, config},
};
use evermesh_loader::{Config, DataPlane, Object, TableSizes, generation::Watch};
use evermesh_model::Snapshot;
use evermesh_pins::{PinDir, host};

/// Declared in the order in which things must go.
pub struct Node {
    pub mesh: Snapshot,
    pub stage: Stage,
    pub sandbox: Sandbox,
}

/// Which programs and sizes a start wants.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    /// Those of a variant, or those that are built in.
    pub programs: Option<&'static str>,
    /// Twice as much room for endpoints and for pods, so that these are carried over.
    pub larger: bool,
    /// Twice as much room for what sockets asked for, so that it is carried over.
    pub carried: bool,
    /// Have a sentinel rehearse and watch it, which takes ten times as long as the change itself.
    pub sentinel: bool,
}

/// When steps were taken: the first and the last.
#[derive(Clone, Default)]
pub struct Steps(Arc<Mutex<Option<(u64, u64)>>>);

impl Node {
    /// Generation 1 stands, and the pods are enrolled.
    pub fn new() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let stage = Stage::new(&sandbox).unwrap();
        let file = sandbox.dir().join("mesh.yaml");
        fs::write(&file, config::with(&stage.web)).unwrap();
        let mesh = source::read(&file).and_then(source::Raw::parse).unwrap().snapshot;
        let node = Self { mesh, stage, sandbox };
        drop(node.start(Wanted::default(), Watch::default()));
        node.stage.enrol(&node.pins()).unwrap();
        node
    }

    pub fn pins(&self) -> PinDir {
        PinDir::new(self.sandbox.bpffs())
    }

    /// What an agent does when it starts: a generation that differs from the live one is on trial afterwards.
    pub fn start(&self, wanted: Wanted, watch: Watch) -> DataPlane {
        let cgroup = host::cgroup(Some(self.sandbox.pods_cgroup().path())).unwrap();
        let sizes =
            TableSizes { services: 256, endpoints: 1000, origins: 16_384, udp_origins: 16_384, pods: 64 };
        let twice = |size: u32, wanted: bool| if wanted { 2 * size } else { size };
        let object = wanted.programs.map(|name| Object::read(&binaries::variant(name).unwrap()).unwrap());
        let config = Config {
            object: object.unwrap_or_default(),
            sizes: TableSizes {
                endpoints: twice(sizes.endpoints, wanted.larger),
                origins: twice(sizes.origins, wanted.carried),
                pods: twice(sizes.pods, wanted.larger || wanted.carried),
                ..sizes
            },
            sentinel: wanted.sentinel.then(|| binaries::find("evermesh-plane").unwrap()),
            candidate: true,
            watch,
            ..Config::new(self.pins(), cgroup, self.sandbox.state_dir())
        };
        DataPlane::start(config, Some(&self.mesh)).unwrap().0
    }

    pub fn under_traffic(&self, act: impl FnOnce() -> Vec<Event>) -> Report {
        Traffic::around(&self.stage, || Ok(act())).unwrap()
    }
}

impl Steps {
    /// Told of every step.
    pub fn watch(&self) -> Watch {
        let steps = Arc::clone(&self.0);
        Watch::new(move |_, _| {
            let now = now_ns();
            let mut steps = steps.lock().unwrap();
            *steps = Some((steps.map_or(now, |(first, _)| first), now));
        })
    }

    /// From the first step to the last.
    pub fn event(&self, kind: &str) -> Event {
        let (start_ns, end_ns) = self.0.lock().unwrap().unwrap();
        Event { kind: kind.into(), start_ns, end_ns }
    }
}
