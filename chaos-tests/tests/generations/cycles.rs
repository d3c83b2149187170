use std::{collections::BTreeSet, fs, os::fd::AsFd as _, path::PathBuf, time::Duration};

use evermesh_chaos_tests::{asked_for, sandbox::Objects};
use evermesh_loader::generation::{Moment, Step, Watch};
use evermesh_pins::{Hook, sys};

use crate::node::{Node, Wanted};

/// The kernel frees its objects late.
const PATIENCE: Duration = Duration::from_secs(25);

/// One cycle in so many carries over what stands in the maps that all share, to larger ones and back.
const CARRIED_EVERY: usize = 2;
/// One cycle in so many has a sentinel.
const SENTINEL_EVERY: usize = 20;

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
    cycle(&node, 0);
    let before = holdings(&node);
    for number in 1..=cycles {
        cycle(&node, number);
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

/// It pins a program once more before it removes its generation.
#[test]
fn a_pin_that_a_release_leaves_behind_is_noticed() {
    let node = Node::new();
    cycle(&node, 0);
    let before = holdings(&node);
    let pins = node.pins();
    let leaking = Watch::new(move |step, moment| {
        if let (Step::Remove { generation }, Moment::Before) = (step, moment) {
            let program = sys::object_get(&pins.program(*generation, Hook::Connect4)).unwrap();
            let sys::Object::Program(program) = program else { panic!("{program:?}") };
            sys::object_pin(program.as_fd(), &pins.root().join("left")).unwrap();
        }
    });
    change(&node, Wanted { programs: Some("other"), ..Wanted::default() }, leaking);
    change(&node, Wanted::default(), Watch::default());
    let after = holdings(&node);
    assert_eq!((after.pins, after.programs), (before.pins + 1, before.programs + 1));
}

fn cycle(node: &Node, number: usize) {
    let sentinel = number.is_multiple_of(SENTINEL_EVERY);
    let back = Wanted { sentinel, ..Wanted::default() };
    let there = Wanted { programs: Some("other"), ..back };
    let carried = number.is_multiple_of(CARRIED_EVERY).then_some(Wanted { carried: true, ..back });
    for wanted in [there].into_iter().chain(carried).chain([back]) {
        change(node, wanted, Watch::default());
    }
}

fn change(node: &Node, wanted: Wanted, watch: Watch) {
    node.start(wanted, watch).commit().unwrap();
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
