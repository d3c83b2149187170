//! A keeper whose disk is full or read-only says so, goes on, and makes up for it by itself.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

#[path = "../../state/tests/disk/mod.rs"]
mod disk;

use std::time::{Duration, Instant};

use disk::Disk;
use evermesh_proto::{
    discovery::{Packed, Resource},
    workload::{Address, Workload, address::Type},
};
use evermesh_xds_cache::{Conversion, Kind, Said, cache};
use prost::Message as _;

const PATIENCE: Duration = Duration::from_secs(60);

/// A workload with a name of its own of about a kilobyte.
fn workload(n: u32) -> Resource {
    let uid = format!("demo/web-{n}");
    let wire = Workload { uid: uid.clone(), name: "n".repeat(1000), ..Workload::default() };
    let value = Address { r#type: Some(Type::Workload(wire)) }.encode_to_vec().into();
    let resource = Some(Packed { type_url: Kind::Address.type_url().into(), value });
    Resource { name: uid, resource, ..Resource::default() }
}

fn keep(opened: &mut cache::Opened, numbers: std::ops::Range<u32>) {
    let resources = numbers.map(workload).collect();
    let said = Said { kind: Kind::Address, resources, removed: vec![], everything: false };
    opened.keeper.remember(&opened.mesh.take(said).changed);
    opened.keeper.keep();
}

fn await_failure(opened: &cache::Opened) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(failure) = opened.keeper.failure() {
            return failure;
        }
        assert!(Instant::now() < deadline, "no word of the disk");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kept(disk: &Disk) -> usize {
    cache::read(disk.path(), |as_kept| as_kept).unwrap().unwrap().mesh.count(Kind::Address)
}

#[test]
fn a_full_disk_is_told_and_made_up_for_when_there_is_room() {
    let disk = Disk::new(32 << 20);
    let mut opened = cache::open(disk.path(), Conversion::default());
    keep(&mut opened, 0..100);
    assert!(opened.keeper.wait(PATIENCE));
    disk.fill_but(64 << 10);
    keep(&mut opened, 100..1_100);
    let failure = await_failure(&opened);
    assert!(failure.contains("space") && failure.contains("xds"), "{failure}");
    // What comes meanwhile is kept with the rest.
    keep(&mut opened, 1_100..1_110);
    disk.make_room();
    assert!(opened.keeper.wait(PATIENCE), "{:?}", opened.keeper.failure());
    assert_eq!(opened.keeper.failure(), None);
    drop(opened);
    assert_eq!(kept(&disk), 1_110);
}

/// What was said last is in the kernel and nowhere else.
#[test]
fn a_database_on_a_full_disk_is_passed_over_by_a_start_until_it_has_caught_up() {
    let disk = Disk::new(32 << 20);
    let mut opened = cache::open(disk.path(), Conversion::default());
    Kind::ALL.into_iter().for_each(|kind| opened.keeper.remember_all(kind, &opened.mesh));
    keep(&mut opened, 0..100);
    assert!(opened.keeper.wait(PATIENCE));
    disk.fill_but(64 << 10);
    keep(&mut opened, 100..1_100);
    await_failure(&opened);
    drop(opened);
    disk.make_room();
    let mut opened = cache::open(disk.path(), Conversion::default());
    assert!(!opened.whole.is_all());
    assert!(opened.notes.iter().any(|note| note.contains("passed over")), "{:?}", opened.notes);
    keep(&mut opened, 100..1_100);
    assert!(opened.keeper.wait(PATIENCE), "{:?}", opened.keeper.failure());
    drop(opened);
    let mut opened = cache::open(disk.path(), Conversion::default());
    assert!(!opened.whole.is_all(), "nobody has said everything");
    Kind::ALL.into_iter().for_each(|kind| opened.keeper.remember_all(kind, &opened.mesh));
    opened.keeper.keep();
    drop(opened);
    let opened = cache::open(disk.path(), Conversion::default());
    assert!(opened.whole.is_all() && opened.notes.is_empty(), "{:?}", opened.notes);
    assert_eq!(opened.mesh.count(Kind::Address), 1_100);
}

/// What an agent could not read at its start is not what it knows: whatever of it has gone meanwhile, nobody says that again.
#[test]
fn a_read_only_disk_is_told_and_made_up_for_when_it_can_be_written() {
    let disk = Disk::new(32 << 20);
    let mut opened = cache::open(disk.path(), Conversion::default());
    keep(&mut opened, 0..100);
    drop(opened);
    disk.set_read_only(true);
    let opened = cache::open(disk.path(), Conversion::default());
    assert!(opened.notes.iter().any(|note| note.contains("Read-only")), "{:?}", opened.notes);
    drop(opened);
    disk.set_read_only(false);
    assert_eq!(kept(&disk), 100, "nothing newer is known");
    disk.set_read_only(true);
    let mut opened = cache::open(disk.path(), Conversion::default());
    Kind::ALL.into_iter().for_each(|kind| opened.keeper.remember_all(kind, &opened.mesh));
    keep(&mut opened, 100..110);
    let failure = await_failure(&opened);
    assert!(failure.contains("Read-only"), "{failure}");
    disk.set_read_only(false);
    assert!(opened.keeper.wait(PATIENCE), "{:?}", opened.keeper.failure());
    drop(opened);
    let opened = cache::open(disk.path(), Conversion::default());
    assert_eq!((opened.mesh.count(Kind::Address), opened.whole.is_all()), (10, true));
}
