//! Supervisors that are killed in the middle of a trial, and ledgers and releases that are damaged.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use evermesh_handover::message::State;
use evermesh_upgrader::release::{AGENT, Digest, Ledger, LedgerFile, Outcome};

use crate::{
    releases::{digest, releases},
    rig::{GOOD, Rig, until, until_gone},
};

/// A moment of a trial, as it can be seen from outside.
type Moment = (&'static str, &'static str, fn(&Rig, &Ledger) -> bool);

fn candidate_is(ledger: &Ledger, under_way: bool) -> bool {
    ledger.candidate.as_ref().is_some_and(|it| it.under_way == under_way)
}

fn failed(ledger: &Ledger) -> bool {
    ledger.history.last().is_some_and(|entry| entry.outcome == Outcome::Failed)
}

const MOMENTS: [Moment; 7] = [
    ("considered", GOOD, |_, ledger| candidate_is(ledger, false)),
    ("the try is written down", GOOD, |_, ledger| candidate_is(ledger, true)),
    ("the candidate has started", GOOD, |rig, _| rig.played().iter().any(|name| name == "b")),
    ("the candidate never gets ready", "hang", |rig, _| rig.played().iter().any(|name| name == "b")),
    ("the candidate is ready", "say READY=1\nsay STATUS=ready\nlive", |rig, _| {
        State::read(&rig.run_dir()).is_ok_and(|state| state.status.is_some())
    }),
    ("the candidate has failed", "exit 1", |_, ledger| failed(ledger)),
    ("the candidate is committed", GOOD, |_, ledger| ledger.candidate.is_none() && ledger.trials == 1),
];

#[test]
fn killed_at_any_moment_of_a_trial_the_next_start_ends_with_one_of_the_two() {
    for (moment, script, reached) in MOMENTS {
        let rig = Rig::new("");
        let (a, b) = (rig.release("a", GOOD), rig.release("b", script));
        let limit =
            if script == "hang" { ["--start-timeout-ms", "3000"] } else { ["--start-timeout-ms", "60000"] };
        let mut supervisor = rig.launch(&a, &limit);
        rig.until_running(&supervisor);
        let (to, trial) = rig.upgrade(&b, 2);
        until(moment, || reached(&rig, &rig.ledger()).then_some(()));
        let agent = State::read(&rig.run_dir()).unwrap().agent_pid;
        supervisor.kill();
        let supervisor = rig.launch(&a, &limit);
        let ended = || rig.ledger().last().is_some_and(|last| last.trial == trial).then_some(());
        until("the end of the trial", ended);
        let ledger = rig.ledger();
        let expected = if script.contains("live") { to } else { digest(&a) };
        assert_eq!(ledger.committed, expected, "{moment}: {ledger:?}");
        rig.until_runs(&supervisor, &expected);
        agent.into_iter().for_each(until_gone);
        assert_eq!(rig.overlaps(), 0, "{moment}");
        assert!(rig.played().iter().filter(|name| *name == "b").count() <= 3, "{moment}: {:?}", rig.played());
    }
}

#[test]
fn a_release_that_always_takes_its_supervisor_with_it_is_held_in_the_end() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "hang"));
    let mut supervisor = rig.launch(&a, &["--trial-pause-ms", "1"]);
    rig.until_running(&supervisor);
    rig.upgrade(&b, 2);
    for tries in 1..=2 {
        rig.until_played("b", tries);
        supervisor.kill();
        supervisor = rig.launch(&a, &["--trial-pause-ms", "1"]);
    }
    rig.until_runs(&supervisor, &digest(&a));
    let last = rig.ledger().last().cloned().unwrap();
    assert_eq!((last.outcome, rig.ledger().candidate), (Outcome::Held, None));
    assert!(last.reason.unwrap().contains("its supervisor ended"));
}

#[test]
fn a_damaged_ledger_is_set_aside_and_made_anew() {
    let rig = Rig::new("");
    let (mut supervisor, a, to) = rig.upgraded();
    supervisor.kill();
    let file = LedgerFile::of(&rig.store());
    let mut content = fs::read(file.path()).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(file.path(), content).unwrap();
    let supervisor = rig.launch(&a, &[]);
    let state = rig.until_runs(&supervisor, &digest(&a));
    assert!(releases(&state).notes[0].contains("is damaged"), "{state:?}");
    assert_eq!((rig.ledger().committed, rig.ledger().previous), (digest(&a), Some(to)));
    let names = fs::read_dir(rig.store().dir()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains("ledger.json.damaged-")).count(), 1);
}

/// It may be whole: nothing is set aside, and nobody is asked to yield.
#[test]
fn a_ledger_that_cannot_be_read_ends_a_start_and_is_left_alone() {
    let rig = Rig::new("");
    let (mut supervisor, a, to) = rig.upgraded();
    let before = rig.until_runs(&supervisor, &to);
    let (ledger, whole) = (rig.store().dir().join("ledger.json"), rig.path("whole"));
    fs::rename(&ledger, &whole).unwrap();
    symlink(&ledger, &ledger).unwrap();
    let ended = |options: &[&str]| {
        let mut start = rig.launch(&a, options);
        assert_eq!(start.ended(), Some(1));
        let words = start.words();
        assert!(
            words.contains(&format!("cannot read the ledger of releases {}", ledger.display())),
            "{words}"
        );
        assert!(words.contains("try again when the disk answers"), "{words}");
    };
    ended(&["--takeover"]);
    assert_eq!(rig.client().state().unwrap(), before);
    supervisor.kill();
    ended(&[]);
    assert_eq!(rig.played(), ["a", "b"]);
    fs::rename(&whole, &ledger).unwrap();
    let supervisor = rig.launch(&a, &[]);
    rig.until_runs(&supervisor, &to);
}

/// Nobody is told for ever of a disk that was full once.
#[test]
fn what_could_not_be_written_is_told_until_it_is_written() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "await go\nexit 1"));
    let supervisor = rig.launch(&a, &[]);
    rig.until_running(&supervisor);
    let (_, trial) = rig.upgrade(&b, 1);
    rig.until_played("b", 1);
    // In the way of what is written aside, until the next sweep.
    let aside = LedgerFile::of(&rig.store()).path().with_added_extension("new");
    fs::create_dir(&aside).unwrap();
    fs::write(rig.path("go"), "").unwrap();
    let noted = |state: &State| !releases(state).notes.is_empty();
    let state = rig.until_state("a note", noted);
    assert!(releases(&state).notes[0].contains("cannot write the ledger"), "{state:?}");
    rig.until_state("no note any more", |state| !noted(state));
    assert_eq!((rig.ledger().last().map(|last| last.trial), rig.ledger().candidate), (Some(trial), None));
    rig.until_runs(&supervisor, &digest(&a));
}

/// A file that the process has open.
fn has_open(process: u32, path: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|it| it == path)
}

#[test]
fn a_start_that_waits_for_somebody_who_stages_keeps_what_is_tried_by_then() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", GOOD));
    let c = rig.release("c", "await go\nsay READY=1\nlive");
    let supervisor = rig.launch(&a, &[]);
    rig.until_running(&supervisor);
    let to = rig.stage(&c);
    let held = rig.store().lock(Duration::ZERO).unwrap();
    let mut waiting = rig.launch(&b, &["--takeover"]);
    until("its waiting", || has_open(waiting.pid(), &rig.store().dir().join("lock")).then_some(()));
    let trial = rig.client().upgrade(&to.to_string(), 1).unwrap();
    drop(held);
    assert_eq!(waiting.ended(), Some(75), "a release is tried");
    assert!(rig.store().place(&to).exists());
    fs::write(rig.path("go"), "").unwrap();
    assert!(rig.until_trial_ended(trial).0.committed);
    rig.until_runs(&supervisor, &to);
}

fn damaged(rig: &Rig, release: &Digest) {
    fs::write(rig.store().place(release).join(AGENT), "#!/bin/sh\nexit 1\n").unwrap();
}

#[test]
fn a_committed_release_that_is_damaged_is_replaced_by_the_supervisors_own() {
    let rig = Rig::new("");
    let (mut supervisor, a, to) = rig.upgraded();
    supervisor.kill();
    damaged(&rig, &to);
    let supervisor = rig.launch(&a, &[]);
    let state = rig.until_runs(&supervisor, &digest(&a));
    assert!(releases(&state).notes[0].contains("cannot be run"), "{state:?}");
    assert_eq!(rig.ledger().history.last().map(|entry| entry.outcome), Some(Outcome::Replaced));
}

#[test]
fn the_own_release_is_staged_again_when_it_is_damaged_on_disk() {
    let rig = Rig::new("");
    let a = rig.release("a", GOOD);
    let mut supervisor = rig.launch(&a, &[]);
    rig.until_running(&supervisor);
    supervisor.kill();
    damaged(&rig, &digest(&a));
    fs::create_dir(rig.store().dir().join(".staging-1")).unwrap();
    let supervisor = rig.launch(&a, &[]);
    rig.until_runs(&supervisor, &digest(&a));
    assert_eq!(rig.store().staged().len(), 1);
    assert!(!rig.store().dir().join(".staging-1").exists());
}
