//! Entries by the hundred thousand come to other maps and back while real programs write and delete; a second bookkeeper knows
//! what every socket asked.

use std::{
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use evermesh_loader::{
    Part,
    migration::{Fields, Translate, sweep},
};
use evermesh_pins::{Hook, Table, sys::RawMap};

use crate::{
    books::{Contents, Entries, Found, entries},
    layout::{AsTheyAre, Release},
    node::{Maps, Node, Programs},
    sockets::Books,
};

#[test]
fn ten_thousand_entries_come_to_another_layout_and_back_under_traffic() {
    there_and_back(&Release::wider(), 10_000);
}

#[test]
fn a_hundred_thousand_entries_come_to_another_layout_and_back_under_traffic() {
    there_and_back(&Release::wider(), 100_000);
}

#[test]
fn entries_come_to_larger_maps_of_the_same_layout_and_back() {
    there_and_back(&Release::this(), 1_000);
}

#[test]
fn entries_come_to_other_maps_of_a_later_layout_on_the_level_and_back() {
    let (node, release) = (Node::new(300_000), Release::wider());
    let [a, b] = ["a", "b"].map(|name| node.maps(name));
    let mut books = filled(&node, &release, &a, 1_000);
    for way in [[&a, &b], [&b, &a]] {
        on_the_level(&node, &release, way, &mut books);
    }
    drop(books);
    assert!(Contents::of(&a, &release).is_empty());
}

#[test]
fn entries_come_to_a_map_of_another_kind_and_back() {
    there_and_back(&Release::variant("lru"), 1_000);
}

/// `EVERMESH_VOLUME=1000000` names another number.
#[test]
fn as_many_entries_as_are_asked_for_come_to_another_layout_and_back_under_traffic() {
    if let Some(entries) = std::env::var("EVERMESH_VOLUME").ok().and_then(|text| text.parse().ok()) {
        there_and_back(&Release::wider(), entries);
    }
}

#[test]
fn a_bridge_that_deletes_from_the_primary_only_is_found() {
    let found = upgraded(&Release::variant("forgetful_bridge"));
    assert!(found.resurrected > 0, "{found:?}");
}

#[test]
fn a_bridge_that_writes_what_is_absent_only_is_found() {
    let found = upgraded(&Release::variant("late_bridge"));
    assert!(found.stale > 0, "{found:?}");
}

#[test]
fn a_sweep_that_takes_bytes_over_as_they_are_is_found() {
    let found = swept(&Release::wider(), |_| AsTheyAre);
    assert!(found.lost > 0 && found.resurrected > 0, "{found:?}");
}

/// It writes what it read, however long ago that was.
#[test]
fn a_sweep_that_overwrites_what_programs_have_written_meanwhile_is_found() {
    let release = Release::wider();
    let Bridged { node, maps: [a, b], mut books, up } = Bridged::new(&release);
    let read = Table::CARRIED.map(|table| (table, entries(&a, table)));
    under_traffic(&node, &mut books, "up", || {
        one_by_one(&node, &up);
        read.iter().for_each(|(table, entries)| write(&b, *table, entries, &release.up(*table)));
    });
    Found::of(&Contents::before(&a), &books).assert_nothing("in the primary");
    let found = Found::of(&Contents::of(&b, &release), &books);
    assert!(found.stale > 0 && found.resurrected > 0, "{found:?}");
}

/// Without the far end, which writes both maps as long as some still read the old one.
#[test]
fn programs_that_write_the_new_maps_alone_before_all_read_them_are_found() {
    let release = Release::wider();
    let Bridged { node, maps: [a, b], mut books, .. } = Bridged::new(&release);
    let new = node.load(&release.object, Part::Current, &a, &b);
    carry(&a, &b, |table| release.up(table));
    under_traffic(&node, &mut books, "producers first", || {
        let produces = |hook: &Hook| ["connect", "sendmsg"].iter().any(|kind| hook.name().starts_with(kind));
        in_turn(&node, Hook::ALL.into_iter().filter(produces), &new);
    });
    let found = Found::of(&Contents::before(&a), &books);
    assert!(found.lost + found.stale > 0, "in what the others read: {found:?}");
}

fn write(to: &Maps, table: Table, entries: &Entries, translate: &impl Translate) {
    let map = to.open(table);
    let map = RawMap::new(map.as_fd()).unwrap();
    for (key, value) in entries {
        let (mut there, mut said) = (vec![0; map.key_size()], vec![0; map.value_size()]);
        translate.key(key, &mut there);
        translate.value(value, &mut said);
        map.update(&there, &said).unwrap();
    }
}

fn there_and_back(release: &Release, entries: u32) {
    let node = Node::new(entries * 2 + 300_000);
    let [a, b, c] = ["a", "b", "c"].map(|name| node.maps(name));
    let load = |part, before: &Maps| node.load(&release.object, part, before, &b);
    let mut books = filled(&node, &Release::this(), &a, entries);
    Found::of(&Contents::before(&a), &books).assert_nothing("before");

    let (up, down, new) = (load(Part::Up, &a), load(Part::Down, &a), load(Part::Current, &a));
    under_traffic(&node, &mut books, "up", || {
        one_by_one(&node, &up);
        carry(&a, &b, |table| release.up(table));
    });
    let whole = |books: &[Books], when| {
        Found::of(&Contents::before(&a), books).assert_nothing(when);
        Found::of(&Contents::of(&b, release), books).assert_nothing(when);
        assert!(Contents::before(&a) == Contents::of(&b, release), "{when}");
    };
    whole(&books, "after the sweep");
    under_traffic(&node, &mut books, "far end", || one_by_one(&node, &down));
    whole(&books, "at the far end");
    under_traffic(&node, &mut books, "current", || one_by_one(&node, &new));
    Found::of(&Contents::of(&b, release), &books).assert_nothing("after the upgrade");

    let (up, down, old) = (load(Part::Up, &c), load(Part::Down, &c), load(Part::Before, &c));
    under_traffic(&node, &mut books, "down", || {
        one_by_one(&node, &down);
        carry(&b, &c, |table| release.down(table));
    });
    under_traffic(&node, &mut books, "near end", || one_by_one(&node, &up));
    assert!(Contents::before(&c) == Contents::of(&b, release), "at the near end");
    under_traffic(&node, &mut books, "before", || one_by_one(&node, &old));
    Found::of(&Contents::before(&c), &books).assert_nothing("after the downgrade");
    drop(books);
    assert!(Contents::before(&c).is_empty());
}

/// To other maps of the release's own layouts.
fn on_the_level(node: &Node, release: &Release, [from, to]: [&Maps; 2], books: &mut [Books]) {
    let load = |part, primary, beside| node.load(&release.object, part, beside, primary);
    let [near, far] = [load(Part::Level, from, to), load(Part::Level, to, from)];
    let own = load(Part::Current, to, to);
    under_traffic(node, books, "level", || {
        one_by_one(node, &near);
        carry(from, to, |table| same(release, table));
    });
    under_traffic(node, books, "level, far end", || one_by_one(node, &far));
    assert!(Contents::of(from, release) == Contents::of(to, release), "on the level");
    under_traffic(node, books, "level, current", || one_by_one(node, &own));
    Found::of(&Contents::of(to, release), books).assert_nothing("after the level");
}

fn same(release: &Release, table: Table) -> Fields {
    let own = &release.object.layouts().unwrap()[&table];
    Fields::between(own, own, &table.declared()).unwrap()
}

/// What is found in the secondary when there was traffic after a sweep by field.
fn upgraded(release: &Release) -> Found {
    swept(release, |table| release.up(table))
}

fn swept<T: Translate>(release: &Release, translate: impl Fn(Table) -> T + Send) -> Found {
    let Bridged { node, maps: [a, b], mut books, up } = Bridged::new(release);
    carry(&a, &b, translate);
    under_traffic(&node, &mut books, "up", || one_by_one(&node, &up));
    Found::of(&Contents::before(&a), &books).assert_nothing("in the primary");
    Found::of(&Contents::of(&b, release), &books)
}

/// Maps of this release in which something stands, and empty ones of another release, whose bridge runs over both.
struct Bridged {
    node: Node,
    maps: [Maps; 2],
    books: Vec<Books>,
    up: Programs,
}

impl Bridged {
    fn new(release: &Release) -> Self {
        let node = Node::new(300_000);
        let maps = ["a", "b"].map(|name| node.maps(name));
        let books = filled(&node, &Release::this(), &maps[0], 1_000);
        let up = node.load(&release.object, Part::Up, &maps[0], &maps[1]);
        node.switch_all(&up);
        Self { node, maps, books, up }
    }
}

/// A release's programs over these maps, and what their sockets have asked.
fn filled(node: &Node, release: &Release, maps: &Maps, entries: u32) -> Vec<Books> {
    /// Each socket that asked as much as is remembered has so many.
    const A_SOCKET: u32 = 3 * 1024;
    node.switch_all(&node.load(&release.object, Part::Current, maps, maps));
    let mut books = vec![Books::default(), Books::default()];
    node.inside(|| books.iter_mut().for_each(|book| book.fill(entries.div_ceil(2 * A_SOCKET) as usize)));
    books
}

fn one_by_one(node: &Node, to: &Programs) {
    in_turn(node, Hook::ALL, to);
}

/// Links are switched with traffic at each mixture.
fn in_turn(node: &Node, hooks: impl IntoIterator<Item = Hook>, to: &Programs) {
    for hook in hooks {
        node.switch(hook, to);
        thread::sleep(Duration::from_millis(2));
    }
    evermesh_pins::sys::wait_for_programs().unwrap();
}

fn carry<T: Translate>(from: &Maps, to: &Maps, translate: impl Fn(Table) -> T) {
    let started = Instant::now();
    for table in Table::CARRIED {
        let swept = sweep(from.open(table).as_fd(), to.open(table).as_fd(), &translate(table)).unwrap();
        println!("  {table}: {swept:?} after {:?}", started.elapsed());
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
