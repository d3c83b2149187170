//! Maps of a layout that this release does not know, the later one's, which does not step down: what stands in them is lost if that
//! is declared, and counted. Cut off anywhere it is lost once or not at all.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::AsFd as _,
};

use evermesh_chaos_tests::stage::config::{ANSWER, STREAM, WEB};
use evermesh_pins::{Inventory, MapPin, Table, sys::RawMap};

use crate::{
    all,
    plane::{Kind, Plane, Run, Task},
};

const LATER: &str = "evermesh-plane-layouts";
const FLAG: &str = "--accept-loss origins,udp_origins";

fn then(then: &'static str, end_at: Option<usize>) -> Task {
    Task { room: Kind::Table.sizes()[0], then, end_at }
}

/// What stands in the maps: which they are, how much is in each, and how much was lost with those before.
#[derive(Clone, Debug, PartialEq)]
struct Maps {
    ids: [u32; 2],
    entries: [u64; 2],
    told: [u64; 2],
}

impl Maps {
    fn of(plane: &Plane) -> Self {
        let inventory = Inventory::read(&plane.pins()).unwrap();
        let pins = Table::CARRIED.map(|table| &inventory.frozen[&table]);
        let entries = |pin: &MapPin| RawMap::new(pin.fd.as_fd()).unwrap().count().unwrap();
        Self {
            ids: pins.map(|pin| pin.info.id),
            entries: pins.map(entries),
            told: Table::CARRIED.map(|table| plane.told(&format!("lost_{table}"))),
        }
    }

    /// All that stood in those before is gone, and told.
    fn are_lost(&self, before: &Self, when: &str) {
        let sum = [0, 1].map(|map| before.told[map] + before.entries[map]);
        assert_eq!((self.told, self.entries), (sum, [0, 0]), "{when}");
        assert!(self.ids.iter().all(|id| !before.ids.contains(id)), "{when}");
    }
}

/// The later release runs, and so many sockets have asked it.
fn later(plane: &Plane, sockets: usize) -> Vec<(TcpStream, UdpSocket)> {
    plane.run_by(LATER, then("commit", None)).finished();
    let service = |port| SocketAddr::new(WEB[0].parse().unwrap(), port);
    let open = || {
        let datagrams = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        datagrams.send_to(b"hello", service(ANSWER.port)).unwrap();
        (TcpStream::connect(service(STREAM.port)).unwrap(), datagrams)
    };
    let opened: Vec<_> = plane.client().enter(|| (0..sockets).map(|_| open()).collect()).unwrap();
    let stood = u64::try_from(sockets).unwrap();
    assert_eq!(Maps::of(plane).entries, [2 * stood, 3 * stood]);
    opened
}

/// Where a loss can be half done; or everywhere.
fn moments(run: &Run) -> Vec<usize> {
    let at = |what: &&str| run.moments.iter().position(|moment| moment.contains(what)).unwrap();
    let half_done = [
        "after switch connect6",
        "after record that the change is committed",
        "after add what is lost with origins",
        "after give origins",
    ];
    if all() { (0..run.moments.len()).collect() } else { half_done.iter().map(at).collect() }
}

#[test]
fn what_nobody_can_carry_over_is_lost_once_if_that_is_declared_wherever_it_is_cut_off() {
    let plane = Plane::new(Kind::Table);
    let sockets = later(&plane, 3);
    let stands = Maps::of(&plane);
    plane.run(then("commit", None)).refused(FLAG);
    assert_eq!(Maps::of(&plane), stands, "nothing has moved");
    plane.run_losing(then("roll-back", None)).finished();
    assert_eq!(Maps::of(&plane), stands, "a loss that is rolled back is none");
    let run = plane.run_losing(then("commit", None)).finished();
    Maps::of(&plane).are_lost(&stands, "at once");
    drop(sockets);
    for (turn, at) in moments(&run).into_iter().enumerate() {
        let _sockets = later(&plane, turn + 1);
        let before = Maps::of(&plane);
        let cut = plane.run_losing(then("commit", Some(at))).cut_off();
        let when = cut.moments.last().unwrap().clone();
        if cut.is_committed() {
            // What was declared is done, and need not be declared again.
            plane.run(then("commit", None)).finished();
            plane.settled();
            Maps::of(&plane).are_lost(&before, &when);
        } else {
            // Whoever comes undoes it, and this release goes no further.
            match turn % 2 {
                0 => plane.run(then("commit", None)).refused(FLAG),
                _ => drop(plane.run_by(LATER, then("commit", None)).finished()),
            }
            plane.settled();
            assert_eq!(Maps::of(&plane), before, "{when}");
        }
    }
}
