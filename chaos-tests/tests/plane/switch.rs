//! Links are switched from one generation to the next under every kind of traffic; and what a careless release
//! would do at such a moment is noticed.

use std::{fs, fs::File, os::fd::AsFd, thread::sleep, time::Duration};

use evermesh_agent::source;
use evermesh_chaos_tests::{
    oracle::{Event, Report, Verdict},
    sandbox::Sandbox,
    stage::{Stage, Traffic, config},
};
use evermesh_loader::{Config, DataPlane};
use evermesh_model::Snapshot;
use evermesh_pins::{Hook, Inventory, PinDir, host, sys};

const CHANGES: u32 = 60;
/// A careless release loses the processor at the worst moment.
const HELD_UP: Duration = Duration::from_millis(20);

#[test]
fn sixty_changes_of_generation_go_unnoticed() {
    let report = under_traffic(|scene| {
        (0..CHANGES)
            .map(|n| {
                Event::during("generation changed", || {
                    assert_eq!(scene.plane().change_generation().unwrap(), n + 2);
                })
            })
            .collect()
    });
    println!("{report}");
    assert_eq!((report.verdict(), report.events.len()), (Verdict::Clean, CHANGES as usize), "{report}");
}

#[test]
fn links_that_are_unpinned_and_attached_anew_are_noticed() {
    let report = under_traffic(|scene| {
        (0..3).map(|_| Event::during("unpinned and attached anew", || attach_anew(scene, |_| ()))).collect()
    });
    assert_eq!(report.verdict(), Verdict::Failed, "{report}");
}

/// What an agent would do that cleans up when it is told to end, and its successor after it.
#[test]
fn links_that_are_detached_at_the_end_are_noticed() {
    let detach = |link: &sys::Object| {
        if let sys::Object::Link(link) = link {
            sys::link_detach(link.as_fd()).unwrap();
        }
    };
    let report = under_traffic(|scene| {
        (0..3).map(|_| Event::during("detached at the end", || attach_anew(scene, detach))).collect()
    });
    assert_eq!(report.verdict(), Verdict::Failed, "{report}");
}

/// Declared in the order in which things must go.
pub struct Scene {
    /// None: nobody writes.
    pub plane: Option<DataPlane>,
    pub config: Config,
    pub mesh: Snapshot,
}

impl Scene {
    pub fn plane(&mut self) -> &mut DataPlane {
        self.plane.as_mut().unwrap()
    }
}

pub fn under_traffic(act: impl FnOnce(&mut Scene) -> Vec<Event>) -> Report {
    let sandbox = Sandbox::new().unwrap();
    let stage = Stage::new(&sandbox).unwrap();
    let pins = PinDir::new(sandbox.bpffs());
    let cgroup = host::cgroup(Some(sandbox.pods_cgroup().path())).unwrap();
    let config = Config::new(pins.clone(), cgroup, sandbox.dir());
    let mesh = snapshot(&sandbox, &stage);
    let (plane, _) = DataPlane::start(config.clone(), Some(&mesh)).unwrap();
    stage.enrol(&pins).unwrap();
    let mut scene = Scene { plane: Some(plane), config, mesh };
    Traffic::around(&stage, || Ok(act(&mut scene))).unwrap()
}

fn snapshot(sandbox: &Sandbox, stage: &Stage) -> Snapshot {
    let path = sandbox.dir().join("mesh.yaml");
    fs::write(&path, config::with(&stage.web)).unwrap();
    source::read(&path).unwrap().parse().unwrap().snapshot
}

fn attach_anew(scene: &mut Scene, before_unpinning: fn(&sys::Object)) {
    let generation = scene.plane().generation();
    let pins = &scene.config.pins;
    let inventory = Inventory::read(pins).unwrap();
    let programs = &inventory.generations[&generation].programs;
    let cgroup = File::open(&scene.config.cgroup.path).unwrap();
    for hook in Hook::ALL {
        let path = pins.link(hook);
        let link = sys::object_get(&path).unwrap();
        before_unpinning(&link);
        fs::remove_file(&path).unwrap();
        drop(link);
        sleep(HELD_UP);
        let link = sys::link_create(programs[&hook].fd.as_fd(), cgroup.as_fd(), hook.attach_type()).unwrap();
        sys::object_pin(link.as_fd(), &path).unwrap();
    }
}
