//! Entries by the hundred thousand come to other maps and back while real programs write and delete; a second bookkeeper knows
//! what every socket asked.

use std::{
    collections::{BTreeMap, HashMap},
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use evermesh_abi::{Address, Origin, UdpOrigin, UdpOriginKey};
use evermesh_loader::{
    Object, Part,
    migration::{Same, sweep},
};
use evermesh_pins::{
    Hook, Table,
    sys::{RawMap, map_pairs},
};

use crate::{
    node::{Maps, Node, backend, frontend},
    sockets::{Books, expected},
};

#[test]
fn ten_thousand_entries_come_to_other_maps_and_back_under_traffic() {
    there_and_back(10_000);
}

#[test]
fn a_hundred_thousand_entries_come_to_other_maps_and_back_under_traffic() {
    there_and_back(100_000);
}

/// `EVERMESH_VOLUME=1000000` names another number.
#[test]
fn as_many_entries_as_are_asked_for_come_to_other_maps_and_back_under_traffic() {
    if let Some(entries) = std::env::var("EVERMESH_VOLUME").ok().and_then(|text| text.parse().ok()) {
        there_and_back(entries);
    }
}

fn there_and_back(entries: u32) {
    let node = Node::new(entries * 2 + 300_000);
    let [a, b, c] = ["a", "b", "c"].map(|name| node.maps(name));
    let object = Object::default();
    let mut books = vec![Books::default(), Books::default()];
    node.switch_all(&node.load(&object, Part::Current, &a, &a));
    node.inside(|| {
        for book in &mut books {
            book.fill(entries as usize / 3072 / 2 + 1);
        }
    });
    Found::of(&a, &books).assert_nothing("before");

    let (up, down) = (node.load(&object, Part::Up, &a, &b), node.load(&object, Part::Down, &a, &b));
    let new = node.load(&object, Part::Current, &a, &b);
    under_traffic(&node, &mut books, "up", || {
        one_by_one(&node, &up);
        carry(&a, &b);
    });
    Found::of(&a, &books).assert_nothing("after the sweep, in the primary");
    Found::of(&b, &books).assert_nothing("after the sweep, in the secondary");
    assert_eq!(contents(&a), contents(&b));
    under_traffic(&node, &mut books, "at the far end", || one_by_one(&node, &down));
    assert_eq!(contents(&a), contents(&b));
    under_traffic(&node, &mut books, "current", || one_by_one(&node, &new));
    Found::of(&b, &books).assert_nothing("after the upgrade");

    let (up, down) = (node.load(&object, Part::Up, &c, &b), node.load(&object, Part::Down, &c, &b));
    let old = node.load(&object, Part::Before, &c, &b);
    under_traffic(&node, &mut books, "down", || {
        one_by_one(&node, &down);
        carry(&b, &c);
    });
    assert_eq!(contents(&b), contents(&c));
    under_traffic(&node, &mut books, "at the near end", || one_by_one(&node, &up));
    assert_eq!(contents(&b), contents(&c));
    under_traffic(&node, &mut books, "before", || one_by_one(&node, &old));
    Found::of(&c, &books).assert_nothing("after the downgrade");
    drop(books);
    assert!(contents(&c).iter().all(|(_, entries)| entries.is_empty()));
}

/// Links are switched with traffic at each mixture.
fn one_by_one(node: &Node, to: &crate::node::Programs) {
    for hook in Hook::ALL {
        node.switch(hook, to);
        thread::sleep(Duration::from_millis(2));
    }
    evermesh_loader::barrier().unwrap();
}

fn carry(from: &Maps, to: &Maps) {
    let started = Instant::now();
    for table in [Table::Origins, Table::UdpOrigins] {
        let swept = sweep(from.open(table).as_fd(), to.open(table).as_fd(), &Same).unwrap();
        println!("{table}: {swept:?} after {:?}", started.elapsed());
    }
}

fn under_traffic(node: &Node, books: &mut [Books], what: &str, act: impl FnOnce() + Send) {
    let (stop, count) = (AtomicBool::new(false), |books: &[Books]| {
        books.iter().fold((0, 0), |(u, d), book| (u + book.updates, d + book.deletions))
    });
    let (before, started) = (count(books), Instant::now());
    node.inside(|| {
        thread::scope(|scope| {
            for book in books.iter_mut() {
                scope.spawn(|| book.churn(&stop));
            }
            act();
            stop.store(true, Ordering::Relaxed);
        });
    });
    let (after, seconds) = (count(books), started.elapsed().as_secs_f64());
    let rate = |n: u64| n as f64 / seconds;
    let (updates, deletions) = (rate(after.0 - before.0), rate(after.1 - before.1));
    println!("{what}: {updates:.0} updates and {deletions:.0} deletions a second for {seconds:.2} s");
}

fn contents(maps: &Maps) -> BTreeMap<Table, HashMap<Vec<u8>, Vec<u8>>> {
    let all = |table: Table| {
        let (map, mut entries) = (maps.open(table), HashMap::new());
        let raw = RawMap::new(map.as_fd()).unwrap();
        raw.for_each(|key, value| {
            entries.insert(key.to_vec(), value.to_vec());
            Ok(())
        })
        .unwrap();
        (table, entries)
    };
    [Table::Origins, Table::UdpOrigins].map(all).into()
}

/// What does not agree with the books.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    lost: usize,
    resurrected: usize,
    stale: usize,
}

impl Found {
    fn of(maps: &Maps, books: &[Books]) -> Self {
        let (mut origins, mut pairs) = expected(books);
        let mut found = Self::default();
        let map = maps.open(Table::Origins);
        for (socket, origin) in map_pairs::<u64, Origin>(map.as_fd()).unwrap() {
            match origins.remove(&socket) {
                Some(taken) => found.stale += usize::from(taken != origin.udp_origins),
                None => found.resurrected += 1,
            }
        }
        let map = maps.open(Table::UdpOrigins);
        for (key, pair) in map_pairs::<UdpOriginKey, UdpOrigin>(map.as_fd()).unwrap() {
            match pairs.remove(&(key.socket, key.kind, number(&key))) {
                Some(service) => found.stale += usize::from(!is_pair_of(&pair, service)),
                None => found.resurrected += 1,
            }
        }
        found.lost = origins.len() + pairs.len();
        found
    }

    fn assert_nothing(self, when: &str) {
        assert_eq!(self, Self::default(), "{when}");
    }
}

/// The service of a pair's key, or its place in the ring.
fn number(key: &UdpOriginKey) -> u16 {
    let word = if key.kind == 3 { key.address.0[0] } else { u32::from_be(key.address.0[3]) };
    word as u16
}

fn is_pair_of(pair: &UdpOrigin, service: u16) -> bool {
    let is = |address: Address, ip| address == Address::from(std::net::IpAddr::V4(ip));
    is(pair.frontend, frontend(service)) && is(pair.backend, backend(service))
}
