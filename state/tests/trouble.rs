//! A database whose disk is full, read-only or not a directory, and one that is written without end.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where something fails")]

mod disk;

use std::{collections::BTreeMap, fs, path::Path};

use disk::Disk;
use evermesh_state::local::{Database, DatabaseError, Entry};

type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

fn batch(records: std::ops::Range<u32>, round: u32, bytes: usize) -> Batch {
    let value = |n: u32| format!("{round}-{n}-").into_bytes().into_iter().cycle().take(bytes).collect();
    records.map(|n| (format!("aKubernetes//Pod/demo/web-{n:06}").into_bytes(), Some(value(n)))).collect()
}

fn with(mut entries: BTreeMap<Vec<u8>, Vec<u8>>, batch: &Batch) -> BTreeMap<Vec<u8>, Vec<u8>> {
    for (key, value) in batch {
        match value {
            Some(value) => entries.insert(key.clone(), value.clone()),
            None => entries.remove(key),
        };
    }
    entries
}

fn is(entries: &[Entry], wanted: &BTreeMap<Vec<u8>, Vec<u8>>) -> bool {
    entries.iter().map(|(key, value)| (key, value)).eq(wanted)
}

/// What was flushed is there when there is room again, with all or nothing of the write that failed, whichever that was.
#[test]
fn a_full_disk_loses_nothing_that_was_flushed() {
    const DISK: u64 = 24 << 20;
    let disk = Disk::new(DISK);
    let mut outcomes = BTreeMap::<_, u32>::new();
    for (turn, room) in [0, 1, 4, 16, 64, 128, 256, 512, 700, 1024, 2048, 4096].into_iter().enumerate() {
        let path = disk.path().join(format!("xds-{turn}"));
        let (mut database, _) = Database::open(&path).unwrap();
        let mut flushed = BTreeMap::new();
        for round in 0..3 {
            let change = batch(0..400, round, 200);
            database.write(change.clone()).unwrap();
            flushed = with(flushed, &change);
        }
        disk.fill_but(room << 10);
        // Somewhere in the middle there is no room any more.
        let (failed, error) = (3..)
            .find_map(|round| {
                // More each time: what is overwritten makes room.
                let change = batch(0..300 * round, round, 400);
                match database.write(change.clone()) {
                    Ok(()) => {
                        flushed = with(std::mem::take(&mut flushed), &change);
                        None
                    }
                    Err(error) => Some((change, error)),
                }
            })
            .unwrap();
        assert!(!error.to_string().is_empty());
        *outcomes.entry(if error.may_pass() { "write: disk" } else { "write: other" }).or_default() += 1;
        drop(database);
        let while_full = match Database::open(&path) {
            Ok((_, entries)) if is(&entries, &flushed) => "while full: what was flushed",
            Ok((_, entries)) if is(&entries, &with(flushed.clone(), &failed)) => "while full: all of it",
            Ok((_, entries)) => panic!("room {room} KB: {} records that never were together", entries.len()),
            Err(error) if error.may_pass() => "while full: may pass",
            Err(error) => panic!("room {room} KB: {error}"),
        };
        *outcomes.entry(while_full).or_default() += 1;
        disk.make_room();
        let (mut database, entries) = Database::open(&path).unwrap();
        let after = match () {
            () if is(&entries, &flushed) => "with room: what was flushed",
            () if is(&entries, &with(flushed.clone(), &failed)) => "with room: all of it",
            () => panic!("room {room} KB: {} records that never were together", entries.len()),
        };
        *outcomes.entry(after).or_default() += 1;
        database.write(failed.clone()).unwrap();
        drop(database);
        assert!(is(&Database::open(&path).unwrap().1, &with(flushed, &failed)), "it works again");
        fs::remove_dir_all(&path).unwrap();
    }
    println!("a full disk, 12 times: {outcomes:?}");
}

/// As sled leaves it when the process is killed, or the disk is full, while a database is opened.
#[test]
fn a_summary_of_the_log_that_was_not_finished_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    let change = batch(0..300, 0, 100);
    Database::open(&path).unwrap().0.write(change.clone()).unwrap();
    for length in [0, 13, 4096] {
        fs::write(path.join("snap.00000000FFFFFFFF.generating"), vec![0; length]).unwrap();
        let opened = Database::open(&path).map(|(_, entries)| is(&entries, &with(BTreeMap::new(), &change)));
        assert!(matches!(opened, Ok(true)), "{length} bytes: {opened:?}");
    }
}

#[test]
fn a_read_only_disk_may_pass_and_leaves_the_database_as_it_is() {
    let disk = Disk::new(24 << 20);
    let path = disk.path().join("xds");
    let change = batch(0..300, 0, 100);
    Database::open(&path).unwrap().0.write(change.clone()).unwrap();
    disk.set_read_only(true);
    for place in [&path, &disk.path().join("other")] {
        let error = Database::open(place).unwrap_err();
        assert!(error.may_pass(), "{error}");
        assert!(error.to_string().contains(place.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("Read-only"), "{error}");
    }
    disk.set_read_only(false);
    assert!(is(&Database::open(&path).unwrap().1, &with(BTreeMap::new(), &change)));
}

#[test]
fn a_file_in_the_place_of_the_database_is_told_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    fs::write(&path, b"a file").unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(matches!(error, DatabaseError::Open { .. }) && error.to_string().contains("xds"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"a file");
    fs::remove_file(&path).unwrap();
    assert!(Database::open(&path).unwrap().1.is_empty());
}

fn bytes_in(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let size = |entry: fs::DirEntry| match entry.file_type().unwrap().is_dir() {
        true => bytes_in(&entry.path()),
        false => entry.metadata().unwrap().len(),
    };
    entries.map(size).sum()
}

/// A thousand records of 100 bytes, each written a thousand times.
#[test]
fn a_million_updates_leave_the_database_small() {
    const RECORDS: u32 = 1_000;
    const ROUNDS: u32 = 1_000;
    const BOUND: u64 = 8 << 20;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("xds");
    let (mut database, _) = Database::open(&path).unwrap();
    let mut largest = 0;
    for round in 0..ROUNDS {
        database.write(batch(0..RECORDS, round, 100)).unwrap();
        if round % 50 == 0 {
            largest = largest.max(database.size_on_disk().unwrap());
        }
    }
    drop(database);
    let (_, entries) = Database::open(&path).unwrap();
    assert!(is(&entries, &with(BTreeMap::new(), &batch(0..RECORDS, ROUNDS - 1, 100))));
    let written = u64::from(RECORDS * ROUNDS) * 100;
    println!("{written} bytes written, at most {largest} on the disk, {} at the end", bytes_in(&path));
    assert!(largest.max(bytes_in(&path)) <= BOUND, "{largest} bytes, {} at the end", bytes_in(&path));
}
