//! What is done to which call: every fault to each call, or some at random.

use evermesh_chaos_tests::faults::random;
use rand::RngExt;

use crate::{
    all,
    plane::{Plane, event},
    strace::{Call, one_of},
    survival,
};

pub const KILL: &str = "signal=SIGKILL";
const ERRORS: [&str; 5] = ["EIO", "ENOMEM", "EPERM", "ENOSPC", "EINTR"];

/// A call, and what is done to it.
pub type Point<'a> = (&'a Call, String);

/// What is counted as survived.
pub fn kind_of((call, fault): &Point<'_>) -> String {
    format!("{}, {fault}", call.name)
}

pub fn errors() -> Vec<String> {
    ERRORS.map(|error| format!("error={error}")).into()
}

pub fn kill_and_errors() -> Vec<String> {
    [errors(), vec![KILL.to_owned()]].concat()
}

/// Each of these faults at each call, or a sample of that size, always the same of a seed.
pub fn points<'a>(calls: &'a [Call], faults: &[String], sample: usize, seed: u64) -> Vec<Point<'a>> {
    let mut random = random(seed);
    match all() {
        true => calls.iter().flat_map(|call| faults.iter().map(move |fault| (call, fault.clone()))).collect(),
        false => (0..sample)
            .map(|_| (one_of(calls, &mut random), faults[random.random_range(0..faults.len())].clone()))
            .collect(),
    }
}

/// Does all of it under traffic, which does not notice.
pub fn survive(plane: &Plane, points: &[Point<'_>], disturb: impl Fn(&Call, &str)) {
    survival::survive(plane, points, kind_of, |(call, fault)| vec![event(fault, || disturb(call, fault))]);
}
