//! A node whose data plane this process drives.

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use evermesh_agent::source;
use evermesh_chaos_tests::{
    binaries,
    oracle::{Event, Report},
    sandbox::Sandbox,
    stage::{Stage, Traffic, config},
    steps::Course,
};
use evermesh_loader::{Config, DataPlane, Object, TableSizes, generation::Watch};
use evermesh_model::Snapshot;
use evermesh_pins::{
    Inventory, PinDir, Table, host,
    layout::{Kernel, Known},
};

/// Under traffic, before anything is done: longer than what counts as near what is done afterwards.
const NOTHING_DONE: Duration = Duration::from_secs(6);
const SIZES: TableSizes =
    TableSizes { services: 256, endpoints: 1000, origins: 16_384, udp_origins: 16_384, pods: 64 };

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

impl Node {
    /// Generation 1 stands, and the pods are enrolled.
    pub fn new() -> Self {
        let sandbox = Sandbox::new().unwrap();
        let stage = Stage::new(&sandbox).unwrap();
        let file = file(&sandbox);
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
        let twice = |size: u32, wanted: bool| if wanted { 2 * size } else { size };
        let object = wanted.programs.map(|name| Object::read(&binaries::variant(name).unwrap()).unwrap());
        let config = Config {
            object: object.unwrap_or_default(),
            sizes: TableSizes {
                endpoints: twice(SIZES.endpoints, wanted.larger),
                origins: twice(SIZES.origins, wanted.carried),
                udp_origins: twice(SIZES.udp_origins, wanted.carried),
                pods: twice(SIZES.pods, wanted.larger || wanted.carried),
                ..SIZES
            },
            sentinel: wanted.sentinel.then(|| binaries::find("evermesh-plane").unwrap()),
            candidate: true,
            watch,
            ..Config::new(self.pins(), cgroup, self.sandbox.state_dir())
        };
        DataPlane::start(config, Some(&self.mesh)).unwrap().0
    }

    /// What a process of another release does that starts in the usual sizes, and what becomes of it.
    pub fn start_by(&self, program: &str, then: &str) -> Course {
        let mut command = Command::new(binaries::find(program).unwrap());
        command.arg("--bpffs").arg(self.pins().root()).arg("--state-dir").arg(self.sandbox.state_dir());
        command
            .arg("--cgroup")
            .arg(self.sandbox.pods_cgroup().path())
            .arg("--config")
            .arg(file(&self.sandbox));
        let TableSizes { services, endpoints, origins, udp_origins, pods } = SIZES;
        for (flag, size) in [
            ("--services", services),
            ("--endpoints", endpoints),
            ("--origins", origins),
            ("--udp-origins", udp_origins),
            ("--pods", pods),
        ] {
            command.arg(flag).arg(size.to_string());
        }
        let output = command.args(["--then", then]).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        Course::read(&String::from_utf8_lossy(&output.stdout)).unwrap()
    }

    /// Which layouts the maps have that programs write; none: those of another release.
    pub fn known(&self) -> Option<Known> {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let mut kernel = Kernel::default();
        let known = Table::CARRIED.map(|table| kernel.known(table, &inventory.frozen[&table].info).ok());
        assert_eq!(known[0], known[1]);
        known[0]
    }

    /// What traffic says of `act`, and of a while before it.
    pub fn under_traffic(&self, act: impl FnOnce() -> Vec<Event>) -> Report {
        Traffic::around(&self.stage, || {
            thread::sleep(NOTHING_DONE);
            Ok(act())
        })
        .unwrap()
    }
}

/// Where the mesh is described.
fn file(sandbox: &Sandbox) -> PathBuf {
    sandbox.dir().join("mesh.yaml")
}
