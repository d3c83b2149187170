//! Releases on disk: staged, cut off at every step, damaged, swept.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use evermesh_upgrader::release::{
    AGENT, Launch, Ledger, LedgerFile, PROGRAMS, ReleaseError, SUPERVISOR, Source, Staged, Staging, Stamps,
    Store, StoreLock, launch, stage,
};
use tempfile::TempDir;

struct Disk {
    dir: TempDir,
    store: Store,
    held: StoreLock,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::of(dir.path());
        store.make().unwrap();
        let held = store.lock(Duration::ZERO).unwrap();
        Self { dir, store, held }
    }

    fn release(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join(name);
        fs::create_dir(&dir).unwrap();
        PROGRAMS.iter().for_each(|it| program(&dir.join(it), &format!("#!/bin/sh\necho {it} {name}\n")));
        dir
    }

    fn source(&self, dir: &Path) -> Result<Source, ReleaseError> {
        Source::named(dir, &mut Stamps::default())
    }

    fn stage(&self, dir: &Path) -> Result<Staged, ReleaseError> {
        stage(&self.store, &self.held, &self.source(dir)?, &mut Stamps::default())
    }

    /// The words of an error, with this test's directory left out.
    fn words(&self, error: &ReleaseError) -> String {
        error.to_string().replace(&self.dir.path().display().to_string(), "DIR")
    }

    fn left(&self) -> usize {
        let entries = fs::read_dir(self.store.dir()).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
    }
}

fn program(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_staged_release_is_described_and_verifies() {
    let disk = Disk::new();
    let dir = disk.release("a");
    let staged = disk.stage(&dir).unwrap();
    let release = disk.store.verify(&staged.release.digest, &mut Stamps::default()).unwrap();
    assert_eq!((staged.was_there, &release), (false, &staged.release));
    assert_eq!(release.version(), "evermesh-agent a");
    assert!(disk.stage(&dir.join(AGENT)).unwrap().was_there, "a program names its directory");
    assert_eq!(disk.left(), 1);
}

#[test]
fn the_digest_is_that_of_names_sizes_and_contents() {
    let disk = Disk::new();
    let (a, b) = (disk.release("a"), disk.release("b"));
    let digest = |dir: &Path| disk.source(dir).unwrap().digest;
    assert_ne!(digest(&a), digest(&b));
    for name in PROGRAMS {
        fs::copy(a.join(name), b.join(name)).unwrap();
    }
    assert_eq!(digest(&a), digest(&b));
    fs::rename(b.join(PROGRAMS[0]), b.join("aside")).unwrap();
    fs::rename(b.join(PROGRAMS[1]), b.join(PROGRAMS[0])).unwrap();
    fs::rename(b.join("aside"), b.join(PROGRAMS[1])).unwrap();
    assert_ne!(digest(&a), digest(&b));
}

#[test]
fn cut_off_after_any_step_nothing_is_taken_for_a_release_and_the_next_sweep_clears_it() {
    let disk = Disk::new();
    let dir = disk.release("a");
    let source = disk.source(&dir).unwrap();
    let mut steps = 0;
    loop {
        let mut staging = Staging::begin(&disk.store, &disk.held, &source).unwrap();
        let ended = (0..steps).any(|_| staging.step().unwrap().is_some());
        if ended {
            break;
        }
        assert_eq!(disk.store.staged(), [], "after {steps} steps");
        disk.store.verify(&source.digest, &mut Stamps::default()).unwrap_err();
        disk.store.sweep(&disk.held, &[source.digest]).unwrap();
        assert_eq!(disk.left(), 0, "after {steps} steps");
        steps += 1;
    }
    assert_eq!((steps, disk.store.staged().len()), (10, 1));
}

#[test]
fn damage_is_named_whichever_file_it_befell() {
    for name in PROGRAMS.into_iter().chain(["release.json"]) {
        for damage in [truncate, flip, remove] {
            let disk = Disk::new();
            let release = disk.stage(&disk.release("a")).unwrap().release;
            let path = disk.store.place(&release.digest).join(name);
            damage(&path);
            let error = disk.store.verify(&release.digest, &mut Stamps::load(disk.store.dir())).unwrap_err();
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            // Staging it again mends it.
            assert!(!disk.stage(&disk.dir.path().join("a")).unwrap().was_there);
            disk.store.verify(&release.digest, &mut Stamps::default()).unwrap();
        }
    }
}

#[test]
fn a_release_whose_description_is_damaged_is_staged_again_from_its_own_place() {
    let disk = Disk::new();
    let release = disk.stage(&disk.release("a")).unwrap().release;
    let place = disk.store.place(&release.digest);
    truncate(&place.join("release.json"));
    assert!(!disk.stage(&place).unwrap().was_there);
    disk.store.verify(&release.digest, &mut Stamps::default()).unwrap();
    assert_eq!(disk.left(), 1);
}

fn truncate(path: &Path) {
    let content = fs::read(path).unwrap();
    fs::write(path, &content[..content.len() / 2]).unwrap();
}

fn flip(path: &Path) {
    let mut content = fs::read(path).unwrap();
    let digest = content.windows(9).position(|it| it == b"\"digest\":").map_or(0, |at| at + 12);
    content[digest] ^= 1;
    fs::write(path, content).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn what_is_no_release_is_refused_by_name_before_anything_is_written() {
    let disk = Disk::new();
    let dir = disk.release("a");
    let refusal = |path: &Path| disk.words(&disk.stage(path).unwrap_err());
    insta::assert_snapshot!(refusal("/no/such/place".as_ref()), @"/no/such/place is no release: name a directory with evermesh, evermesh-supervisor and evermesh-agent, or one of these programs");
    insta::assert_snapshot!(refusal("/bin/sh".as_ref()), @"/bin/sh is no release: name a directory with evermesh, evermesh-supervisor and evermesh-agent, or one of these programs");
    let agent = dir.join(AGENT);
    fs::set_permissions(&agent, fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_snapshot!(refusal(&dir), @"DIR/a/evermesh-agent is not executable, so DIR/a is no release; put evermesh, evermesh-supervisor and evermesh-agent of one version there");
    fs::remove_file(&agent).unwrap();
    insta::assert_snapshot!(refusal(&dir), @"DIR/a/evermesh-agent is missing, so DIR/a is no release; put evermesh, evermesh-supervisor and evermesh-agent of one version there");
    fs::create_dir(&agent).unwrap();
    insta::assert_snapshot!(refusal(&dir), @"DIR/a/evermesh-agent is no file, so DIR/a is no release; put evermesh, evermesh-supervisor and evermesh-agent of one version there");
    assert_eq!(disk.left(), 0);
}

#[test]
fn programs_that_do_not_run_here_are_refused_and_leave_nothing() {
    let of_another_machine = {
        let mut content = fs::read("/proc/self/exe").unwrap();
        content.truncate(4096);
        content[18..20].copy_from_slice(&0xf7_u16.to_le_bytes());
        content
    };
    let outside_its_group = b"#!/usr/bin/perl\nsetpgrp(0, getpgrp(getppid)); sleep 1000\n";
    let bad: [(&[u8], &str); 6] = [
        (&of_another_machine, "cannot be started: Exec format error (os error 8)"),
        (b"#!/no/such/loader\n", "cannot be started: No such file or directory (os error 2)"),
        (b"#!/bin/sh\nexit 3\n", "ends with exit status: 3"),
        (b"#!/bin/sh\nsleep 1000 >/dev/null &\n", "says nothing"),
        (b"#!/bin/sh\nsleep 1000\n", "does not end within 5 s"),
        (outside_its_group, "does not end within 5 s"),
    ];
    for (content, expected) in bad {
        let disk = Disk::new();
        let dir = disk.release("a");
        fs::write(dir.join(AGENT), content).unwrap();
        let words = disk.words(&disk.stage(&dir).unwrap_err());
        assert!(
            words.starts_with("evermesh-agent does not run on this node") && words.contains(expected),
            "{words}"
        );
        assert_eq!(disk.left(), 0);
    }
}

#[test]
fn a_source_that_changes_while_it_is_staged_is_refused() {
    let disk = Disk::new();
    let dir = disk.release("a");
    let source = disk.source(&dir).unwrap();
    program(&dir.join(AGENT), "#!/bin/sh\necho something else\n");
    let error = stage(&disk.store, &disk.held, &source, &mut Stamps::default()).unwrap_err();
    assert!(disk.words(&error).starts_with("DIR/a/evermesh-agent is damaged"), "{error}");
    assert_eq!(disk.left(), 0);
}

#[test]
fn a_full_disk_is_told_with_what_is_needed_before_anything_is_written() {
    let disk = Disk::new();
    let dir = disk.release("a");
    let mut source = disk.source(&dir).unwrap();
    source.programs[0].1 = 1 << 60;
    let error = stage(&disk.store, &disk.held, &source, &mut Stamps::default()).unwrap_err();
    assert!(matches!(error, ReleaseError::NoRoom { needed, .. } if needed > 1 << 60), "{error}");
    assert_eq!(disk.left(), 0);
}

#[test]
fn a_sweep_keeps_what_it_is_told_to_and_one_at_a_time_works_there() {
    let disk = Disk::new();
    let kept = disk.stage(&disk.release("a")).unwrap().release;
    disk.stage(&disk.release("b")).unwrap();
    fs::create_dir(disk.store.dir().join(".staging-1")).unwrap();
    disk.store.sweep(&disk.held, &[kept.digest]).unwrap();
    assert_eq!((disk.store.staged(), disk.left()), (vec![kept], 1));
    let busy = disk.store.lock(Duration::from_millis(10)).unwrap_err();
    assert!(matches!(busy, ReleaseError::Busy { .. }), "{busy}");
}

#[test]
fn the_committed_releases_supervisor_is_launched_only_in_place_of_the_last_launcher() {
    let disk = Disk::new();
    let (a, b) = (disk.release("a"), disk.release("b"));
    let launched = |dir: &Path| launch(disk.dir.path(), dir);
    assert_eq!(launched(&a), Launch::Own, "no ledger");

    let (of_a, of_b) = (disk.source(&a).unwrap().digest, disk.stage(&b).unwrap().release.digest);
    let mut ledger = Ledger::new(of_a, of_a, None);
    let file = LedgerFile::of(&disk.store);
    file.write(&ledger).unwrap();
    assert_eq!((launched(&a), launched(&b)), (Launch::Own, Launch::Own), "own is committed, or is new");

    ledger.begin(of_b, 1);
    ledger.try_begins(Default::default());
    ledger.commit(0);
    file.write(&ledger).unwrap();
    let supervisor = disk.store.place(&of_b).join(SUPERVISOR);
    assert_eq!(launched(&a), Launch::Committed { supervisor: supervisor.clone(), launcher: of_a });
    assert_eq!(launched(&b), Launch::Own);
    fs::write(&supervisor, "damaged").unwrap();
    assert!(
        matches!(launched(&a), Launch::InPlace(reason) if reason.contains("evermesh-supervisor is damaged"))
    );

    ledger.start(of_b, of_b, 0);
    ledger.begin(of_a, 3);
    ledger.launcher = of_a;
    file.write(&ledger).unwrap();
    assert_eq!(launched(&a), Launch::Own, "it is on trial");
}
