//! The same at every system call that changes something, as strace sees them: no step hides one that is not survived.

use std::{fs, path::PathBuf, process::Command};

use evermesh_chaos_tests::{faults::random, oracle::Verdict};
use rand::RngExt;

use crate::plane::{Kind, Plane, Task, event};

/// Calls by which a start, a change of generation and the journal change something.
const CALLS: &str =
    "bpf,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,fsync,membarrier";
const ERRORS: [&str; 5] = ["EIO", "ENOMEM", "EPERM", "ENOSPC", "EINTR"];
/// How many calls are tried where not all are asked for: of a migration fewer, which has twice as many.
const fn sample(kind: Kind) -> usize {
    match kind {
        Kind::Table => 24,
        Kind::Frozen => 8,
    }
}

const KILL: [&str; 1] = ["signal=SIGKILL"];

#[test]
fn a_kill_at_any_call_is_survived() {
    survive(Kind::Table, &KILL);
}

#[test]
fn a_kill_at_any_call_of_a_migration_is_survived() {
    survive(Kind::Frozen, &KILL);
}

#[test]
fn an_error_of_any_call_is_survived() {
    survive(Kind::Table, &errors().each_ref().map(String::as_str));
}

#[test]
fn an_error_of_any_call_of_a_migration_is_survived() {
    survive(Kind::Frozen, &errors().each_ref().map(String::as_str));
}

fn errors() -> [String; 5] {
    ERRORS.map(|error| format!("error={error}"))
}

/// What is done to the call of that number, by one of these faults.
fn survive(kind: Kind, faults: &[&str]) {
    let all = std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all");
    let plane = Plane::new(kind);
    let mut survived = 0;
    let report = plane.under_traffic(|| {
        let calls = plane.calls();
        let mut random = random(11);
        let chosen: Vec<usize> = match all {
            true => (1..=calls).collect(),
            false => (0..sample(kind)).map(|_| random.random_range(1..=calls)).collect(),
        };
        let mut events = Vec::new();
        for call in chosen {
            let drawn = random.random_range(0..faults.len());
            let tried = if all { faults } else { &faults[drawn..=drawn] };
            for fault in tried {
                let what = format!("inject={CALLS}:{fault}:when={call}");
                events.push(event(fault, || {
                    plane.traced(&["-e", &what], plane.change());
                    let (_, room) = plane.recovered();
                    assert!(kind.sizes().contains(&room), "{what}");
                }));
                survived += 1;
            }
        }
        events
    });
    println!("survived {survived} of {survived}\n{report}");
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
}

impl Plane {
    /// To the other size than the live one.
    fn change(&self) -> Task {
        Task { room: self.kind.other(self.room()), then: "commit", end_at: None }
    }

    /// The next start, which wants what it finds.
    fn recovered(&self) -> (u32, u32) {
        self.run(Task { room: self.room(), then: "commit", end_at: None }).finished();
        self.settled()
    }

    /// Calls of a change that nothing disturbs.
    fn calls(&self) -> usize {
        let trace = self.traced(&["-e", &format!("trace={CALLS}")], self.change());
        fs::read_to_string(trace).unwrap().lines().filter(|line| line.contains('(')).count()
    }

    /// Runs the task with strace, which writes into a file.
    fn traced(&self, options: &[&str], task: Task) -> PathBuf {
        let file = self.directory().join("trace");
        let command = self.command(task);
        let mut strace = Command::new("strace");
        strace.arg("-o").arg(&file).args(options).arg(command.get_program()).args(command.get_args());
        strace.output().unwrap();
        file
    }
}
