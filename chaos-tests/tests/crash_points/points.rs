//! What is done to which call: every fault to each call, or some at random.
//!
//! All of them take hours: with `EVERMESH_CRASH_PART=2/3` it is every third one, from the second on.

use std::env;

use evermesh_chaos_tests::{faults::random, oracle::Event};
use rand::RngExt;

use crate::{
    all,
    plane::Plane,
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

/// Each of these faults at each call, or what is asked for of them; or a sample of that size, always the same of a seed.
pub fn points<'a>(calls: &'a [Call], faults: &[String], sample: usize, seed: u64) -> Vec<Point<'a>> {
    let mut random = random(seed);
    match all() {
        true => {
            let (first, step) = part();
            let all = calls.iter().flat_map(|call| faults.iter().map(move |fault| (call, fault.clone())));
            all.skip(first).step_by(step).collect()
        }
        false => (0..sample)
            .map(|_| (one_of(calls, &mut random), faults[random.random_range(0..faults.len())].clone()))
            .collect(),
    }
}

/// Which is the first, and how many steps it is to the next one.
fn part() -> (usize, usize) {
    let Ok(part) = env::var("EVERMESH_CRASH_PART") else { return (0, 1) };
    let (which, of) = part.split_once('/').unwrap();
    println!("part {which} of {of}");
    (which.parse::<usize>().unwrap() - 1, of.parse().unwrap())
}

/// Does all of it under traffic, which does not notice.
pub fn survive(plane: &Plane, points: &[Point<'_>], disturb: impl Fn(&Call, &str)) {
    survival::survive(plane, points, kind_of, |(call, fault)| {
        vec![Event::during(fault, || disturb(call, fault))]
    });
}
