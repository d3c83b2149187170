//! What generations have counted is told once, wherever a change is cut off: never twice, and nothing is lost.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use evermesh_chaos_tests::stage::config::{ANSWER, WEB};
use evermesh_loader::tally::{Counts, TallyFile};
use evermesh_pins::{Inventory, Manifest};

use crate::{
    all,
    plane::{Kind, Plane, Run, Task},
};

const NAME: &str = "translated";
/// Moments of each kind of change, where not all are asked for.
const SAMPLE: usize = 6;

/// Flows that were made, and what is told of them.
struct Flows<'a> {
    plane: &'a Plane,
    made: u64,
}

impl Flows<'_> {
    /// So many, with the generation that their links attach.
    fn make(&mut self, flows: u64) {
        let service = SocketAddr::new(WEB[0].parse().unwrap(), ANSWER.port);
        let connect = || {
            for _ in 0..flows {
                UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().connect(service).unwrap();
            }
        };
        self.plane.client().enter(connect).unwrap();
        self.made += flows;
    }

    fn are_told_once(&self, when: &str) {
        assert_eq!(self.plane.told(NAME), self.made, "{when}");
    }
}

impl Plane {
    /// What anybody sees, whatever stands.
    pub fn told(&self, name: &str) -> u64 {
        let inventory = Inventory::read(&self.pins()).unwrap();
        let (standing, failed) = Counts::standing(&self.pins(), &inventory);
        assert!(failed.is_empty(), "{failed:?}");
        let tally = TallyFile::read(&self.state_dir()).unwrap();
        tally.with(&standing).get(name).copied().unwrap_or_default()
    }

    fn live(&self) -> u32 {
        Inventory::read(&self.pins()).unwrap().live.unwrap()
    }
}

/// Those about which counts are read, kept and removed, evenly of them.
fn moments(run: &Run) -> Vec<usize> {
    let about = ["switch", "wait for running", "tally", "remove generation", "live", "committed", "undone"];
    let numbered = run.moments.iter().enumerate();
    let found = numbered.filter(|(_, moment)| about.iter().any(|word| moment.contains(word)));
    let found: Vec<usize> = found.map(|(at, _)| at).collect();
    let of_counts = |at: &&usize| {
        let moment = &run.moments[**at];
        moment.contains("tally") || moment.contains("remove generation")
    };
    let always = found.iter().filter(of_counts);
    let one_of = if all() { 1 } else { found.len().div_ceil(SAMPLE / 2) };
    let mut chosen: Vec<usize> = always.chain(found.iter().step_by(one_of)).copied().collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

#[test]
fn flows_are_told_once_wherever_a_change_is_cut_off() {
    let plane = Plane::new(Kind::Table);
    let mut flows = Flows { plane: &plane, made: 0 };
    for then in ["commit", "roll-back"] {
        flows.make(1);
        let change = |end_at| Task { room: plane.kind.other(plane.room()), then, end_at };
        let run = plane.run(change(None)).finished();
        flows.are_told_once(then);
        for (turn, at) in moments(&run).into_iter().enumerate() {
            flows.make(3);
            let cut = plane.run(change(Some(at))).cut_off();
            let when = format!("{then}, {}", cut.moments.last().unwrap());
            flows.are_told_once(&when);
            flows.make(2);
            let again = |end_at| Task { room: plane.room(), then: "commit", end_at };
            if turn % 3 == 0 {
                // Where there is nothing left to do, the process finds no such moment.
                drop(plane.run(again(Some(turn / 3))));
                flows.are_told_once(&when);
            }
            plane.run(again(None)).finished();
            flows.make(1);
            flows.are_told_once(&when);
            plane.settled();
        }
    }
}

/// Whoever comes after it keeps each count under the name that it was given.
#[test]
fn what_a_release_with_other_counters_has_counted_keeps_its_name() {
    let plane = Plane::new(Kind::Table);
    let mut flows = Flows { plane: &plane, made: 0 };
    flows.make(5);
    let path = plane.pins().manifest(plane.live());
    let inventory = Inventory::read(&plane.pins()).unwrap();
    let manifest = inventory.generations[&plane.live()].manifest.clone().unwrap();
    fs::remove_file(&path).unwrap();
    let counters = ["added_later", "translated"].map(str::to_owned).into();
    Manifest { counters, ..manifest }.write(&path).unwrap();
    assert_eq!((plane.told("added_later"), plane.told(NAME)), (5, 0));
    plane.run(Task { room: plane.kind.other(plane.room()), then: "commit", end_at: None }).finished();
    flows.make(2);
    assert_eq!((plane.told("added_later"), plane.told(NAME)), (5, 2));
}

#[test]
fn a_data_plane_that_is_removed_and_made_again_counts_from_zero() {
    let plane = Plane::new(Kind::Table);
    let mut flows = Flows { plane: &plane, made: 0 };
    flows.make(5);
    plane.run(Task { room: plane.kind.other(plane.room()), then: "commit", end_at: None }).finished();
    flows.are_told_once("after a change");
    evermesh_pins::remove_all(&plane.pins()).unwrap();
    plane.run(Task { room: plane.kind.sizes()[0], then: "commit", end_at: None }).finished();
    assert_eq!(plane.told(NAME), 0);
}
