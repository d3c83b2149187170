use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use evermesh_chaos_tests::sandbox::Objects;
use evermesh_loader::generation::Watch;

use crate::{
    asked_for,
    node::{Node, Wanted},
};

/// The kernel frees its objects late.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a node has, but for numbers that change with each generation.
#[derive(PartialEq, Eq, Debug)]
struct Holdings {
    programs: usize,
    maps: usize,
    links: usize,
    pins: usize,
    descriptors: usize,
    files: BTreeSet<PathBuf>,
}

#[test]
fn upgrades_there_and_back_leave_nothing_behind() {
    let cycles = asked_for("EVERMESH_CYCLES", 20);
    let node = Node::new();
    let foreign = Objects::now().unwrap();
    // The first round makes what stays, such as the journal.
    cycle(&node);
    let before = holdings(&node);
    for _ in 0..cycles {
        cycle(&node);
    }
    assert_eq!(holdings(&node), before);
    let (now, pinned) = (Objects::now().unwrap(), Objects::pinned_below(&node.sandbox.bpffs()).unwrap());
    let without = |all: &BTreeSet<u32>, known: &BTreeSet<u32>, pinned: &BTreeSet<u32>| {
        let gone = |id: &&u32| !known.contains(id) && !pinned.contains(id);
        all.iter().filter(gone).copied().collect()
    };
    let left = Objects {
        programs: without(&now.programs, &foreign.programs, &pinned.programs),
        maps: without(&now.maps, &foreign.maps, &pinned.maps),
        links: without(&now.links, &foreign.links, &pinned.links),
    };
    left.await_freed(PATIENCE).unwrap();
    println!("{cycles} cycles: {before:?}");
}

fn cycle(node: &Node) {
    for programs in [Some("other"), None] {
        let mut plane = node.start(Wanted { programs, ..Wanted::default() }, Watch::default());
        plane.commit().unwrap();
    }
}

fn holdings(node: &Node) -> Holdings {
    let pinned = Objects::pinned_below(&node.sandbox.bpffs()).unwrap();
    Holdings {
        programs: pinned.programs.len(),
        maps: pinned.maps.len(),
        links: pinned.links.len(),
        pins: below(&node.sandbox.bpffs()).len(),
        descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
        files: below(&node.sandbox.state_dir()).into_iter().collect(),
    }
}

fn below(directory: &PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}
