//! A record on disk: read back, refused when damaged, moved away, and whole whenever its writer dies.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use evermesh_state::local::{BadRecord, SnapshotError, SnapshotFile, Step};
use nix::{
    sys::resource::{Resource, setrlimit},
    unistd::{Uid, setfsuid},
};
use tempfile::TempDir;

const NAME: &str = "snapshot";

fn fresh() -> (TempDir, SnapshotFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = SnapshotFile::new(directory.path(), NAME);
    (directory, file)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn nothing_is_there_at_first() {
    let (directory, file) = fresh();
    assert_eq!(file.read().unwrap(), None);
    assert_eq!(SnapshotFile::new(directory.path().join("not/yet"), NAME).read().unwrap(), None);
    assert_eq!(file.quarantine().unwrap(), None);
}

#[test]
fn the_last_write_is_what_is_read() {
    let (directory, file) = fresh();
    for payload in [&b"first"[..], b"", &[7; 100_000]] {
        file.write(payload).unwrap();
        assert_eq!(file.read().unwrap().as_deref(), Some(payload));
    }
    assert_eq!(names(directory.path()), [NAME]);
}

#[test]
fn a_damaged_record_is_refused_and_left_alone() {
    let (_directory, file) = fresh();
    file.write(b"payload").unwrap();
    let mut bytes = fs::read(file.path()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file.path(), &bytes).unwrap();
    let error = file.read().unwrap_err();
    assert!(matches!(&error, SnapshotError::Bad { reason: BadRecord::PayloadChecksum, .. }), "{error:?}");
    assert!(error.is_damage());
    assert!(error.to_string().starts_with(&format!("snapshot `{}`: ", file.path().display())), "{error}");
    assert_eq!(fs::read(file.path()).unwrap(), bytes);
}

#[test]
fn a_record_of_a_newer_release_is_no_damage() {
    let (_directory, file) = fresh();
    file.write(b"payload").unwrap();
    let mut bytes = fs::read(file.path()).unwrap();
    bytes[8] = 2;
    fs::write(file.path(), &bytes).unwrap();
    let error = file.read().unwrap_err();
    assert!(matches!(&error, SnapshotError::Bad { reason: BadRecord::UnknownFormat { found: 2, .. }, .. }));
    assert!(!error.is_damage());
}

#[test]
fn a_file_that_no_snapshot_can_be_is_not_read() {
    let (_directory, file) = fresh();
    fs::File::create(file.path()).unwrap().set_len(1 << 40).unwrap();
    let error = file.read().unwrap_err();
    assert!(matches!(&error, SnapshotError::Bad { reason: BadRecord::TooLarge { .. }, .. }), "{error:?}");
}

#[test]
fn a_directory_in_its_place() {
    let (_directory, file) = fresh();
    fs::create_dir(file.path()).unwrap();
    assert!(matches!(file.read().unwrap_err(), SnapshotError::NotAFile { .. }));
    assert!(matches!(file.write(b"x").unwrap_err(), SnapshotError::Io { step: Step::Rename, .. }));
    assert_eq!(file.path().parent().map(names).unwrap(), [NAME]);
}

#[test]
fn quarantine_keeps_the_last_four() {
    let (directory, file) = fresh();
    for number in 1..=6 {
        fs::write(file.path(), format!("damaged {number}")).unwrap();
        let moved = file.quarantine().unwrap().unwrap();
        assert_eq!(fs::read_to_string(moved).unwrap(), format!("damaged {number}"));
        assert_eq!(file.read().unwrap(), None);
    }
    let kept: Vec<_> = (3..=6).map(|number| format!("snapshot.quarantine.{number}")).collect();
    assert_eq!(names(directory.path()), kept);
}

#[test]
fn a_write_removes_what_an_interrupted_one_left() {
    let (directory, file) = fresh();
    file.write(b"old").unwrap();
    for name in [".snapshot.a1b2c3.tmp", ".snapshot.other.tmp", ".snapshots.mine.tmp", "snapshot.tmp"] {
        fs::write(directory.path().join(name), "half").unwrap();
    }
    assert_eq!(file.read().unwrap().unwrap(), b"old");
    file.write(b"new").unwrap();
    assert_eq!(file.read().unwrap().unwrap(), b"new");
    assert_eq!(names(directory.path()), [".snapshots.mine.tmp", NAME, "snapshot.tmp"]);
}

/// Root may write everywhere, so the test's thread gives that up.
#[test]
fn a_directory_that_is_read_only() {
    let (directory, file) = fresh();
    file.write(b"old").unwrap();
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if Uid::effective().is_root() {
        setfsuid(Uid::from_raw(65534));
    }
    let error = file.write(b"new").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "cannot create a file in `{}`: make its directory writable, or name another one",
            directory.path().display()
        )
    );
    assert!(matches!(file.quarantine().unwrap_err(), SnapshotError::Io { step: Step::Rename, .. }));
    assert_eq!(file.read().unwrap().unwrap(), b"old");
}

const DIRECTORY: &str = "SNAPSHOT_DIRECTORY";
const FILE_SIZE_MAX: &str = "SNAPSHOT_FILE_SIZE_MAX";

/// What the child writes the n-th time: every byte and the length tell which time it was.
fn payload(time: usize) -> Vec<u8> {
    vec![time.to_le_bytes()[0]; 20_000 + time % 256]
}

fn is_payload(bytes: &[u8]) -> bool {
    (0..256).any(|time| bytes == payload(time))
}

/// Runs `child` of this file as a process of its own.
fn child(directory: &Path, file_size_max: Option<u64>) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(FILE_SIZE_MAX, file_size_max.map(|limit| limit.to_string()).unwrap_or_default())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "is run by the tests that kill it"]
fn writes_until_it_is_killed() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    if let Ok(limit) = env::var(FILE_SIZE_MAX).unwrap().parse() {
        setrlimit(Resource::RLIMIT_FSIZE, limit, limit).unwrap();
    }
    let file = SnapshotFile::new(directory, NAME);
    println!("\nbegins");
    for time in 1.. {
        file.write(&payload(time)).unwrap();
    }
}

/// The kernel kills the child in the middle of its write, after exactly so many bytes.
#[test]
fn killed_in_the_middle_of_a_write() {
    let (directory, file) = fresh();
    file.write(b"old").unwrap();
    for bytes in [1, 87, 88, 89, 4096, 10_000, 20_088] {
        let status = child(directory.path(), Some(bytes)).wait().unwrap();
        assert_eq!(status.signal(), Some(nix::libc::SIGXFSZ));
        assert_eq!(file.read().unwrap().unwrap(), b"old");
        assert_eq!(names(directory.path()).len(), 2, "the old record, and one file aside");
    }
    file.write(b"new").unwrap();
    assert_eq!(names(directory.path()), [NAME]);
}

#[test]
fn killed_at_any_moment() {
    let (directory, file) = fresh();
    file.write(&payload(0)).unwrap();
    for round in 0..40 {
        let mut child = child(directory.path(), None);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "begins"));
        thread::sleep(Duration::from_micros(round * 331));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(is_payload(&file.read().unwrap().unwrap()), "round {round}");
    }
    file.write(b"new").unwrap();
    assert_eq!(names(directory.path()), [NAME]);
}
