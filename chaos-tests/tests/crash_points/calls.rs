//! The same at every system call that changes something, as strace sees them: no step hides one that is not survived.

use std::{fs, path::PathBuf, process::Command};

use evermesh_chaos_tests::{faults::random, oracle::Verdict};
use rand::RngExt;

use crate::plane::{Plane, SIZES, Task, event};

/// Calls by which a start, a change of generation and the journal change something.
const CALLS: &str =
    "bpf,mkdir,mkdirat,rmdir,unlink,unlinkat,rename,renameat,renameat2,symlink,symlinkat,fsync,membarrier";
const ERRORS: [&str; 5] = ["EIO", "ENOMEM", "EPERM", "ENOSPC", "EINTR"];
/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 24;

#[test]
fn a_kill_at_any_call_is_survived() {
    survive(&["signal=SIGKILL"]);
}

#[test]
fn an_error_of_any_call_is_survived() {
    survive(&ERRORS.map(|error| format!("error={error}")).each_ref().map(String::as_str));
}

/// What is done to the call of that number, by one of these faults.
fn survive(faults: &[&str]) {
    let all = std::env::var("EVERMESH_CRASH_POINTS").is_ok_and(|which| which == "all");
    let plane = Plane::new();
    let mut survived = 0;
    let report = plane.under_traffic(|| {
        let calls = plane.calls();
        let mut random = random(11);
        let chosen: Vec<usize> = match all {
            true => (1..=calls).collect(),
            false => (0..SAMPLE).map(|_| random.random_range(1..=calls)).collect(),
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
                    assert!(SIZES.contains(&room), "{what}");
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
        let room = self.room();
        Task { endpoints: SIZES[usize::from(room == SIZES[0])], then: "commit", end_at: None }
    }

    /// The next start, which wants what it finds.
    fn recovered(&self) -> (u32, u32) {
        self.run(Task { endpoints: self.room(), then: "commit", end_at: None }).finished();
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
