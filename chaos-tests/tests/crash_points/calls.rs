//! The same at every system call that changes something, as strace sees them: no step hides one that is not survived.

use evermesh_chaos_tests::{
    faults::random,
    oracle::{Event, Verdict},
};
use rand::RngExt;

use crate::{
    all,
    plane::{Plane, SIZES, Task, event},
    strace::{CALLS, calls, traced},
};

const ERRORS: [&str; 5] = ["EIO", "ENOMEM", "EPERM", "ENOSPC", "EINTR"];
/// How many calls are tried where not all are asked for.
const SAMPLE: usize = 24;
/// Disturbed calls under one run of traffic.
const AT_ONCE: usize = 200;

#[test]
fn a_kill_at_any_call_is_survived() {
    survive(&["signal=SIGKILL"]);
}

#[test]
fn an_error_of_any_call_is_survived() {
    survive(&ERRORS.map(|error| format!("error={error}")).each_ref().map(String::as_str));
}

/// What is done to the call of that number, by one of these faults; or each of them to all calls.
fn survive(faults: &[&str]) {
    let plane = Plane::new();
    let calls = calls(&plane, plane.command(plane.change()));
    let mut random = random(11);
    let chosen: Vec<(usize, &str)> = match all() {
        true => (1..=calls).flat_map(|call| faults.iter().map(move |fault| (call, *fault))).collect(),
        false => (0..SAMPLE)
            .map(|_| (random.random_range(1..=calls), faults[random.random_range(0..faults.len())]))
            .collect(),
    };
    for some in chosen.chunks(AT_ONCE) {
        let report =
            plane.under_traffic(|| some.iter().map(|(call, fault)| disturb(&plane, *call, fault)).collect());
        println!("{report}");
        assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    }
    println!("survived {0} of {0}", chosen.len());
}

fn disturb(plane: &Plane, call: usize, fault: &str) -> Event {
    let what = format!("inject={CALLS}:{fault}:when={call}");
    event(fault, || {
        traced(plane, &["-e", &what], &plane.command(plane.change()));
        let (_, room) = plane.recovered();
        assert!(SIZES.contains(&room), "{what}");
    })
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
}
