//! A database whose files were damaged in every way is whole or refused, and never something else.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use evermesh_state::local::{Database, DatabaseError, Entry};
use tempfile::TempDir;

const RECORDS: u32 = 300;
const BATCHES: u32 = 6;

/// What became of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All that was written is there.
    Whole,
    /// It is refused, can be moved away, and another one begun.
    Refused,
}

struct Sample {
    dir: TempDir,
    entries: Vec<Entry>,
}

fn written() -> Sample {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("xds"), 0);
    let (database, entries) = Database::open(&dir.path().join("xds")).unwrap();
    drop(database);
    Sample { dir, entries }
}

fn write(path: &Path, salt: u32) {
    let (mut database, _) = Database::open(path).unwrap();
    for batch in 0..BATCHES {
        let records = (0..RECORDS).filter(|n| (n + batch) % 3 != 0);
        let change = records.map(|n| (key(n), Some(format!("{salt}-{batch}-{n}").repeat(9).into_bytes())));
        let gone = (0..RECORDS).filter(|n| (n + batch) % 50 == 0).map(|n| (key(n), None));
        database.write(change.chain(gone).collect::<BTreeMap<_, _>>()).unwrap();
    }
}

fn key(n: u32) -> Vec<u8> {
    format!("aKubernetes//Pod/demo/web-{n:05}").into_bytes()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => {
                fs::copy(entry.path(), target).unwrap();
            }
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => found.extend(files(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found.sort();
    found
}

/// Damages a copy, and sees what becomes of it.
fn after(original: &Sample, damage: impl FnOnce(&Path)) -> Outcome {
    let dir = TempDir::new().unwrap();
    copy(original.dir.path(), dir.path());
    damage(dir.path());
    let path = dir.path().join("xds");
    match Database::open(&path) {
        Ok((_, entries)) if entries == original.entries => Outcome::Whole,
        // Nothing at all is what a new database says.
        Ok((_, entries)) if entries.is_empty() => Outcome::Refused,
        Ok((_, entries)) => panic!("{} of {} records, and no word", entries.len(), original.entries.len()),
        Err(error) => {
            assert!(!matches!(error, DatabaseError::SetAside { .. }), "{error}");
            Database::set_aside(&path).unwrap();
            write(&path, 7);
            assert!(!Database::open(&path).unwrap().1.is_empty());
            Outcome::Refused
        }
    }
}

fn tally(outcomes: impl IntoIterator<Item = Outcome>) -> BTreeMap<Outcome, usize> {
    let mut tally = BTreeMap::new();
    outcomes.into_iter().for_each(|outcome| *tally.entry(outcome).or_default() += 1);
    tally
}

fn relative(original: &Sample) -> Vec<PathBuf> {
    let root = original.dir.path();
    files(root).into_iter().map(|file| file.strip_prefix(root).unwrap().to_owned()).collect()
}

#[test]
fn truncated_anywhere() {
    let original = written();
    for file in relative(&original) {
        let length = fs::metadata(original.dir.path().join(&file)).unwrap().len();
        let cut = |part: u64| {
            after(&original, |dir| {
                fs::OpenOptions::new()
                    .write(true)
                    .open(dir.join(&file))
                    .unwrap()
                    .set_len(length * part / 20)
                    .unwrap();
            })
        };
        println!("{}, {length} bytes, truncated at 20 places: {:?}", file.display(), tally((0..20).map(cut)));
    }
}

#[test]
fn bits_flipped() {
    let original = written();
    for file in relative(&original) {
        let bytes = fs::read(original.dir.path().join(&file)).unwrap();
        if bytes.is_empty() {
            continue;
        }
        let flip = |n: usize| {
            after(&original, |dir| {
                let mut bytes = bytes.clone();
                // Spread over all of it, and over the beginning, where most of what is written stands.
                let span = if n.is_multiple_of(2) { bytes.len() } else { bytes.len().min(64 << 10) };
                bytes[(n * 7919 * 31) % span] ^= 1 << (n % 8);
                fs::write(dir.join(&file), bytes).unwrap();
            })
        };
        println!("{}, bits flipped at 200 places: {:?}", file.display(), tally((0..200).map(flip)));
    }
}

#[test]
fn deleted_and_swapped() {
    let (original, other) = (written(), {
        let dir = TempDir::new().unwrap();
        write(&dir.path().join("xds"), 1);
        dir
    });
    for file in relative(&original) {
        let deleted = after(&original, |dir| fs::remove_file(dir.join(&file)).unwrap());
        let theirs = other.path().join(&file);
        let swapped = theirs.exists().then(|| {
            after(&original, |dir| {
                fs::copy(&theirs, dir.join(&file)).unwrap();
            })
        });
        println!("{}: deleted {deleted:?}, another's {swapped:?}", file.display());
    }
    let all = after(&original, |dir| {
        fs::remove_dir_all(dir.join("xds")).unwrap();
        copy(&other.path().join("xds"), &dir.join("xds"));
    });
    assert_eq!(all, Outcome::Refused, "all of another's");
}

/// What was not flushed may be there in part, in blocks, when the power is lost: between two states that were on the disk,
/// each block is of one or of the other. The state before is no loss as long as nobody was told of the later one.
#[test]
fn writes_that_were_not_synced_are_lost_in_part() {
    const BLOCK: usize = 4096;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("xds");
    write(&path, 0);
    let (before, later) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    copy(dir.path(), before.path());
    let first = Database::open(&path).unwrap().1;
    let (mut database, _) = Database::open(&path).unwrap();
    database.write((0..200).map(|n| (key(n), Some(b"later".repeat(40)))).collect()).unwrap();
    drop(database);
    copy(dir.path(), later.path());
    let second = Database::open(&path).unwrap().1;
    let mut outcomes = BTreeMap::new();
    for seed in 0..60u64 {
        let mixed = TempDir::new().unwrap();
        copy(later.path(), mixed.path());
        // Nobody was told: the file beside it is the old one.
        fs::copy(before.path().join("xds.mark"), mixed.path().join("xds.mark")).unwrap();
        for file in files(&later.path().join("xds")) {
            let name = file.strip_prefix(later.path()).unwrap();
            let new = fs::read(&file).unwrap();
            let old = fs::read(before.path().join(name)).unwrap_or_default();
            let mut bytes = new.clone();
            for ((number, block), turn) in bytes.chunks_mut(BLOCK).enumerate().zip((1..).step_by(7)) {
                let hash = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(turn);
                if hash & 1 == 0 {
                    let range = number * BLOCK..(number * BLOCK + block.len()).min(old.len());
                    block.fill(0);
                    if let Some(old) = old.get(range) {
                        block[..old.len()].copy_from_slice(old);
                    }
                }
            }
            fs::write(mixed.path().join(name), bytes).unwrap();
        }
        let outcome = match Database::open(&mixed.path().join("xds")) {
            Ok((_, entries)) if entries == first => "the state before",
            Ok((_, entries)) if entries == second => "the state after",
            Ok((_, entries)) => panic!("seed {seed}: {} records that never were together", entries.len()),
            Err(_) => "refused",
        };
        *outcomes.entry(outcome).or_insert(0) += 1;
    }
    println!("unsynced writes lost in part: {outcomes:?}");
}

/// The same mixtures, when somebody was told: then only the later state is right.
#[test]
fn a_database_that_lost_what_was_synced_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("xds");
    write(&path, 0);
    let before = TempDir::new().unwrap();
    copy(dir.path(), before.path());
    let (mut database, _) = Database::open(&path).unwrap();
    database.write([(key(1), Some(b"later".to_vec()))].into()).unwrap();
    drop(database);
    fs::remove_dir_all(&path).unwrap();
    copy(&before.path().join("xds"), &path);
    let error = Database::open(&path).unwrap_err().to_string();
    assert!(error.contains("lost what was written last"), "{error}");
}

#[test]
fn a_database_that_somebody_holds_is_told_and_may_be_tried_again() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("xds");
    write(&path, 0);
    let (_held, _) = Database::open(&path).unwrap();
    let error = Database::open(&path).unwrap_err();
    assert!(error.may_pass() && error.to_string().contains("could not acquire lock"), "{error}");
}
