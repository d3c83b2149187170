//! Releases that a running supervisor is asked to try.

use std::{
    fs::{self, OpenOptions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use evermesh_handover::{
    ClientError,
    message::{Phase, State},
};
use evermesh_upgrader::release::{AGENT, Outcome};
use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};

use crate::{
    releases::{digest, releases},
    rig::{GOOD, Rig, signal_agent, until, until_gone},
};

#[test]
fn a_good_release_is_committed_and_stays_whoever_falls() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", GOOD));
    let mut supervisor = rig.launch(&a, &[]);
    rig.until_running(&supervisor);
    let (to, trial) = rig.upgrade(&b, 1);
    let (end, state) = rig.until_trial_ended(trial);
    assert!(end.committed, "{end:?}");
    assert_eq!(releases(&state).previous, Some(digest(&a).to_string()));

    signal_agent(&rig.until_runs(&supervisor, &to), Signal::SIGKILL).unwrap();
    rig.until_state("another agent", |state| state.restarts["killed"] == 1 && state.phase == Phase::Running);
    supervisor.kill();
    let supervisor = rig.launch(&a, &[]);
    rig.until_runs(&supervisor, &to);
    assert_eq!((rig.played(), rig.overlaps()), (vec!["a".into(), "b".into(), "b".into(), "b".into()], 0));

    // Back again: the same way.
    let back = rig.client().upgrade(&digest(&a).to_string(), 1).unwrap();
    assert!(rig.until_trial_ended(back).0.committed);
    let ledger = rig.ledger();
    assert_eq!((ledger.committed, ledger.previous), (digest(&a), Some(to)));
    assert_eq!(rig.store().staged().len(), 2);
}

/// Every way in which an agent can be no good, what is done to it after it was staged, and why it is held.
type Bad = (&'static str, &'static str, fn(&Path), &'static str);

const BAD: [Bad; 9] = [
    ("crashes", "exit 1", |_| (), "ended before it was ready (exit status: 1)"),
    (
        "refuses",
        "say STATUS=slots are full\nexit 78",
        |_| (),
        "(exit status: 78); it last said: slots are full",
    ),
    ("silent", "hang", |_| (), "did not become ready within 3000 ms"),
    ("hangs", "say READY=1\nsay WATCHDOG=1\nhang", |_| (), "hung after it was ready"),
    (
        "falls",
        "say READY=1\nsay WATCHDOG=1\nwait 100\nexit 3",
        |_| (),
        "ended after it was ready, within the gate (exit status: 3)",
    ),
    ("leaves", "say READY=1\nsay STOPPING=1\nexit 0", |_| (), "(exit status: 0)"),
    ("stuck", "say READY=1\nsay WATCHDOG=trigger\nhang", |_| (), "hung after it was ready"),
    ("forks", "fork\nexit 1", |_| (), "(exit status: 1)"),
    ("forbidden", GOOD, forbid, "Permission denied"),
];

fn forbid(staged: &Path) {
    fs::set_permissions(staged.join(AGENT), fs::Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn a_bad_release_is_held_with_its_reason_and_the_committed_one_runs_again() {
    for (name, script, spoil, expected) in BAD {
        let rig = Rig::new("");
        let (a, b) = (rig.release("a", GOOD), rig.release(name, script));
        // So long a gate that no sign of life from before it is heard after it.
        let gate = ["--trial-gate-ms", "20000", "--watchdog-ms", "3000"];
        let limit =
            if name == "silent" { ["--start-timeout-ms", "3000"] } else { ["--start-timeout-ms", "60000"] };
        let mut supervisor = rig.launch(&a, &[&gate[..], &limit].concat());
        rig.until_running(&supervisor);
        let to = rig.stage(&b);
        spoil(&rig.store().place(&to));
        let start = Instant::now();
        let trial = rig.client().upgrade(&to.to_string(), 1).unwrap();
        let (end, _) = rig.until_trial_ended(trial);
        let reason = end.reason.unwrap();
        assert!(!end.committed && reason.contains(expected), "{name}: {reason}");
        rig.until_runs(&supervisor, &digest(&a));
        println!("{name}: {:?}: {reason}", start.elapsed());
        assert!(supervisor.is_alive());
        assert_eq!((rig.ledger().committed, rig.overlaps()), (digest(&a), 0), "{name}");
        assert_eq!(rig.played().last().map(String::as_str), Some("a"), "{name}");
        assert!(!rig.store().place(&to).exists(), "{name}: what is held takes no room");
        if let Ok(child) = fs::read_to_string(rig.path("child")) {
            until_gone(child.trim().parse().unwrap());
        }
    }
}

#[test]
fn a_release_may_be_tried_more_than_once() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "exit 1"));
    let supervisor = rig.launch(&a, &["--trial-pause-ms", "3000"]);
    rig.until_running(&supervisor);
    let (to, trial) = rig.upgrade(&b, 2);
    rig.until_state("a failed try", |state| {
        releases(state).candidate.as_ref().is_some_and(|it| it.reason.is_some() && it.tries_left == 1)
    });
    fs::write(rig.path("b"), GOOD).unwrap();
    assert!(rig.until_trial_ended(trial).0.committed);
    rig.until_runs(&supervisor, &to);
    let outcomes: Vec<_> = rig.ledger().history.iter().map(|entry| entry.outcome).collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Committed]);
    assert_eq!((rig.played(), rig.overlaps()), (vec!["a".into(), "b".into(), "a".into(), "b".into()], 0));
}

#[test]
fn a_supervisor_that_is_told_to_end_goes_on_with_the_trial_at_its_next_start() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "hang"));
    let mut supervisor = rig.launch(&a, &[]);
    rig.until_running(&supervisor);
    let (to, trial) = rig.upgrade(&b, 1);
    rig.until_played("b", 1);
    supervisor.signal(Signal::SIGTERM);
    assert_eq!(supervisor.ended(), Some(0));
    let candidate = rig.ledger().candidate.unwrap();
    assert_eq!((candidate.tries_left, candidate.under_way), (1, false));
    fs::write(rig.path("b"), GOOD).unwrap();
    let supervisor = rig.launch(&a, &[]);
    assert!(rig.until_trial_ended(trial).0.committed);
    rig.until_runs(&supervisor, &to);
    assert_eq!(rig.played(), ["a", "b", "b"]);
}

#[test]
fn what_cannot_be_tried_is_refused_and_nothing_moves() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "hang"));
    let supervisor = rig.launch(&a, &[]);
    let before = rig.until_running(&supervisor);
    let refusal = |release: &str| match rig.client().upgrade(release, 1).unwrap_err() {
        ClientError::Refused { reason, versions } => {
            assert_eq!(versions, [0]);
            reason.replace(&rig.path("").display().to_string(), "DIR/")
        }
        other => panic!("{other}"),
    };
    insta::assert_snapshot!(refusal("b"), @r#""b" is no digest: 64 hexadecimal digits"#);
    insta::assert_snapshot!(refusal(&"0".repeat(64)), @"release 0000000000000000 is not staged: there is no DIR/state/releases/0000000000000000; stage it with `evermesh upgrade --to`");
    assert!(refusal(&digest(&a).to_string()).contains("is committed already"));
    let to = rig.stage(&b);
    fs::write(rig.store().place(&to).join(AGENT), "damaged").unwrap();
    assert!(refusal(&to.to_string()).contains("is damaged"), "{}", refusal(&to.to_string()));
    assert_eq!(rig.client().state().unwrap(), before);

    let (_, _) = rig.upgrade(&b, 1);
    assert!(refusal(&to.to_string()).contains("a release is being tried already"));
    let mut new = rig.launch(&a, &["--takeover"]);
    assert_eq!(new.ended(), Some(75));
    assert!(new.words().contains("a release is being tried"), "{}", new.words());
}

/// Reading a release takes as long as its disk does; here it takes as long as somebody holds a pipe open.
#[test]
fn an_agent_that_lives_while_a_release_is_looked_at_for_long_is_not_taken_for_hung() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", GOOD));
    let watchdog = Duration::from_secs(3);
    let supervisor = rig.launch(&a, &["--watchdog-ms", "3000"]);
    let before = rig.until_running(&supervisor);
    let to = rig.stage(&b);
    let program = rig.store().place(&to).join("evermesh");
    fs::remove_file(&program).unwrap();
    mkfifo(&program, Mode::S_IRWXU).unwrap();
    let mut client = rig.client();
    let asked = thread::spawn(move || client.upgrade(&to.to_string(), 1));
    let being_read = OpenOptions::new().write(true).open(&program).unwrap();
    thread::sleep(watchdog * 3 / 2);
    drop(being_read);
    assert!(asked.join().unwrap().unwrap_err().to_string().contains("is damaged"));
    let after = rig.client().state().unwrap();
    assert_eq!((after.agent_pid, &after.restarts), (before.agent_pid, &before.restarts));
}

#[test]
fn a_supervisor_over_a_named_agent_keeps_no_releases() {
    let rig = Rig::new(GOOD);
    let supervisor = rig.start(&[]);
    let state = rig.until_running(&supervisor);
    assert_eq!(state.releases, None);
    let error = rig.client().upgrade(&"0".repeat(64), 1).unwrap_err();
    assert!(error.to_string().contains("was started with --agent"), "{error}");
    assert!(!rig.store().dir().exists());
}

/// Over tries and restarts, and no agent of the committed release is told.
#[test]
fn what_a_release_may_lose_is_told_to_its_agents_as_long_as_it_is_on_trial() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", "exit 1"));
    let mut supervisor = rig.launch(&a, &["--trial-pause-ms", "60000"]);
    rig.until_running(&supervisor);
    let to = rig.stage(&b);
    let maps = vec!["origins".to_owned(), "udp_origins".to_owned()];
    let trial = rig.client().upgrade_with_loss(&to.to_string(), 2, maps.clone()).unwrap();
    rig.until_state("a failed try", |state| {
        let candidate = releases(state).candidate.as_ref();
        candidate.is_some_and(|it| it.reason.is_some() && it.accept_loss == maps)
    });
    fs::write(rig.path("b"), GOOD).unwrap();
    supervisor.signal(Signal::SIGTERM);
    assert_eq!(supervisor.ended(), Some(0));
    let mut supervisor = rig.launch(&a, &[]);
    let (end, _) = rig.until_trial_ended(trial);
    assert_eq!(
        (end.committed, end.reason.as_deref()),
        (true, Some("with --accept-loss origins,udp_origins"))
    );

    // The next loss is to be declared anew.
    supervisor.kill();
    let supervisor = rig.launch(&a, &[]);
    rig.until_runs(&supervisor, &to);
    assert_eq!(rig.may_lose(), ["b origins,udp_origins"; 2]);
    assert_eq!(rig.played().iter().filter(|script| *script == "b").count(), 3);
}

/// By a takeover, also on the way back from one that failed.
#[test]
fn what_a_release_that_takes_over_may_lose_is_told_until_it_is_committed_and_on_the_way_back() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", GOOD));
    let mut old = rig.launch(&a, &[]);
    rig.until_running(&old);
    let takes_over = ["--takeover", "--accept-loss", "origins", "--takeover-gate-ms"];
    let mut failing = rig.launch(&b, &[&takes_over[..], &["60000"]].concat());
    rig.until_running(&failing);
    failing.kill();
    rig.until_runs(&old, &digest(&a));
    until("its settling", || rig.ledger().outgoing.is_none().then_some(()));
    assert_eq!(rig.may_lose(), ["b origins", "a origins"]);

    let mut new = rig.launch(&b, &[&takes_over[..], &["50"]].concat());
    assert_eq!(old.ended(), Some(0));
    rig.until_runs(&new, &digest(&b));
    let ledger = rig.ledger();
    let reason = ledger.last().and_then(|entry| entry.reason.as_deref());
    assert_eq!((reason, ledger.outgoing.clone()), (Some("with --accept-loss origins"), None));
    new.kill();
    let again = rig.launch(&b, &[]);
    rig.until_runs(&again, &digest(&b));
    assert_eq!(rig.may_lose(), ["b origins", "a origins", "b origins"]);
}

/// One that comes by itself is told by how it was started, and so is the first of all, which nobody tries.
#[test]
fn what_a_release_that_comes_by_itself_may_lose_is_told_while_it_is_tried_or_no_ledger_stood() {
    let rig = Rig::new("");
    let (a, b) = (rig.release("a", GOOD), rig.release("b", GOOD));
    let flag = ["--accept-loss", "origins"];
    let mut supervisor = rig.launch(&a, &flag);
    rig.until_running(&supervisor);
    until("its settling", || rig.ledger().outgoing.is_none().then_some(()));
    for _ in 0..2 {
        supervisor.signal(Signal::SIGTERM);
        assert_eq!(supervisor.ended(), Some(0));
        supervisor = rig.launch(&b, &flag);
        let ended = |state: &State| releases(state).candidate.is_none() && state.phase == Phase::Running;
        rig.until_state("the end of the trial", |state| state.pid == supervisor.pid() && ended(state));
    }
    assert_eq!(
        (rig.may_lose(), rig.played()),
        (["a origins", "b origins"].map(str::to_owned).into(), ["a", "b", "b"].map(str::to_owned).into())
    );
}
