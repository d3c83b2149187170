//! Pins that have no name here. What hooks nothing is left alone, and what hooks something of which nobody knows is not started over.

use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use evermesh_loader::{Config, DataPlane, How, StartError, TableSizes, generation::Watch};
use evermesh_pins::{Finding, Hook, Inventory, PinDir, Table, sys};

use crate::bench::{Bench, SIZES};

#[test]
fn a_start_goes_on_over_what_hooks_nothing_of_its_own_and_names_it() {
    let bench = Bench::new();
    let (pins, mesh) = (bench.pins(), bench.mesh(2));
    drop(bench.start(Some(&mesh)));
    let map = pins.frozen_map(Table::Control);
    let odd = [
        (map.clone(), pins.frozen().join("map")),
        (map, pins.tables(1).join("map")),
        (pins.program(1, Hook::Connect4), pins.programs(1).join("program")),
        (pins.link(Hook::Connect4), pins.links().join("link")),
    ];
    for (pin, odd) in &odd {
        fs::hard_link(pin, odd).unwrap();
    }
    let directories = [
        pins.root().join("directory"),
        pins.generations().join("directory"),
        pins.generation(1).join("directory"),
        pins.frozen().join("directory"),
    ];
    directories.iter().for_each(|path| fs::create_dir(path).unwrap());
    let (mut plane, started) = bench.start(Some(&mesh));
    assert_eq!((&started.how, started.applied.writes), (&How::Adopted, 0));
    for path in odd.iter().map(|(_, odd)| odd).chain(&directories) {
        let told = |note: &String| note.starts_with(&format!("{}: not a pin", path.display()));
        assert!(started.notes.iter().any(told) && path.exists(), "{path:?}: {:?}", started.notes);
    }
    plane.change_generation().unwrap();
    drop(plane);
    assert_eq!(bench.start(Some(&mesh)).1.generation, 2);
}

/// A program for connect4 that no generation has, over generation 2.
fn foreign(bench: &Bench) -> OwnedFd {
    let (mut plane, _) = bench.start(Some(&bench.mesh(2)));
    let program = opened(&bench.pins().program(1, Hook::Connect4));
    plane.change_generation().unwrap();
    program
}

fn opened(pin: &Path) -> OwnedFd {
    match sys::object_get(pin).unwrap() {
        sys::Object::Program(fd) | sys::Object::Link(fd) => fd,
        other => panic!("{}", other.kind()),
    }
}

#[test]
fn a_link_of_which_nobody_knows_is_not_started_over() {
    let bench = Bench::new();
    let program = foreign(&bench);
    let link = bench.pins().links().join("sendmsg8");
    let cgroup = OwnedFd::from(fs::File::open(&bench.config().cgroup.path).unwrap());
    let made = sys::link_create(program.as_fd(), cgroup.as_fd(), Hook::Connect4.attach_type()).unwrap();
    sys::object_pin(made.as_fd(), &link).unwrap();
    let refused = DataPlane::start(bench.config(), None);
    let Err(StartError::Findings(findings)) = refused else { panic!("{refused:?}") };
    assert!(matches!(&findings[..], [Finding::ForeignLink { path, .. }] if *path == link), "{findings:?}");
}

/// A start names such a link and touches nothing; whoever undid a change took the program out and attached its own.
#[test]
fn a_program_that_somebody_puts_at_a_hook_during_a_change_stays_there() {
    let bench = Bench::new();
    let (program, pins) = (foreign(&bench), bench.pins());
    let id = sys::program_info(program.as_fd()).unwrap().id;
    let watch = Watch::new(move |step, _| {
        if step.to_string().starts_with("switch connect4") {
            let (link, own) = (opened(&pins.link(Hook::Connect4)), opened(&pins.program(2, Hook::Connect4)));
            // Once it is there, `own` is not.
            sys::link_update(link.as_fd(), program.as_fd(), own.as_fd()).ok();
        }
    });
    let config = Config { watch, ..bench.config() };
    let (mut plane, _) = DataPlane::start(config, Some(&bench.mesh(2))).unwrap();
    let failed = plane.change_generation().unwrap_err().to_string();
    assert!(failed.starts_with("cannot switch the link"), "{failed}");
    let inventory = Inventory::read(&bench.pins()).unwrap();
    assert_eq!(inventory.generations.keys().collect::<Vec<_>>(), [&2]);
    for hook in Hook::ALL {
        let own = inventory.generations[&2].programs[&hook].info.id;
        let expected = if hook == Hook::Connect4 { id } else { own };
        assert_eq!(inventory.links[&hook].info.program_id, expected, "{hook}");
    }
    plane.apply(&bench.mesh(1)).unwrap();
}

/// Of frozen maps that are carried over, committed and rolled back.
#[test]
fn at_every_step_of_every_change_what_stands_has_a_place() {
    let bench = Bench::new();
    let (odd, seen) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
    let watch = {
        let (odd, seen, root) = (odd.clone(), seen.clone(), bench.pins().root().to_owned());
        Watch::new(move |step, _| {
            let paths = below(&root, &root);
            seen.fetch_max(paths.len(), Ordering::Relaxed);
            let without = paths.into_iter().filter(|path| !has_place(path));
            odd.lock().unwrap().extend(without.map(|path| format!("{path:?} at {step}")));
        })
    };
    let config = Config { watch, ..bench.config() };
    drop(DataPlane::start(config.clone(), Some(&bench.mesh(2))).unwrap());
    for stays in [false, true] {
        let sizes = TableSizes { origins: 65_536, udp_origins: 65_536, pods: 4096, ..SIZES };
        let config = Config { sizes, ..config.clone() };
        let (mut plane, started) = DataPlane::start(config, Some(&bench.mesh(1))).unwrap();
        assert!(started.on_trial(), "{started:?}");
        if stays { plane.commit().unwrap() } else { plane.roll_back("a test").unwrap() }
    }
    assert_eq!(*odd.lock().unwrap(), Vec::<String>::new());
    assert!(seen.load(Ordering::Relaxed) > 50 && !has_place(Path::new("frozen/leaked")));
    assert!(Inventory::read(&bench.pins()).unwrap().oddities.is_empty());
}

fn below(root: &Path, directory: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        paths.push(path.strip_prefix(root).unwrap().to_owned());
        if path.is_dir() && !path.is_symlink() {
            paths.extend(below(root, &path));
        }
    }
    paths
}

fn has_place(path: &Path) -> bool {
    let parts = path.iter().map(|part| part.to_str().unwrap());
    let is_generation = |part: &str| PinDir::generation_of_name(part).is_some();
    let place: Vec<_> = parts.map(|part| if is_generation(part) { "*" } else { part }).collect();
    PinDir::places().contains(&place.join("/"))
}
