//! When which hostname is looked up. Pure.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use evermesh_model::SmolStr;
use tokio::time::Instant;

use crate::client::Answer;

/// Lookups at a time.
const AT_ONCE: usize = 32;
/// An answer is asked for again when it has expired, but neither all the time nor hardly ever.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);
/// After a failure, doubled with each.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);
/// A name server that never answers for one of the families is believed about the other one.
const PATIENCE: u32 = 3;

/// What a lookup has come to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub v4: Family,
    pub v6: Family,
    /// How long that is so.
    pub valid: Duration,
}

/// What a lookup has come to, for the addresses of one family.
#[derive(Clone, Debug)]
pub(super) enum Family {
    Found(Vec<IpAddr>),
    /// There are none.
    Absent,
    /// Nobody knows.
    Failed,
}

/// All hostnames that are wanted.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    names: BTreeMap<SmolStr, Entry>,
    running: usize,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    running: bool,
    failures: u32,
    /// Half answers in a row.
    halves: u32,
}

impl Schedule {
    /// These are wanted from now on, and no others.
    pub fn want(&mut self, wanted: &[SmolStr], now: Instant) {
        let mut before = std::mem::take(&mut self.names);
        let entry = |name: &SmolStr| {
            let new = || Entry { due: now, running: false, failures: 0, halves: 0 };
            (name.clone(), before.remove(name).unwrap_or_else(new))
        };
        self.names = wanted.iter().map(entry).collect();
    }

    /// What is to be looked up now.
    pub fn start(&mut self, now: Instant) -> Vec<SmolStr> {
        let due = self.names.iter_mut().filter(|(_, entry)| !entry.running && entry.due <= now);
        let start = |(name, entry): (&SmolStr, &mut Entry)| {
            entry.running = true;
            name.clone()
        };
        let started: Vec<_> = due.take(AT_ONCE.saturating_sub(self.running)).map(start).collect();
        self.running += started.len();
        started
    }

    /// When something is to be looked up next; `None`: not before something else has happened.
    pub fn next(&self) -> Option<Instant> {
        let waiting = self.names.values().filter(|entry| !entry.running).map(|entry| entry.due);
        waiting.min().filter(|_| self.running < AT_ONCE)
    }

    /// Takes in what a lookup has come to, and says what is to be told.
    pub fn done(&mut self, hostname: &SmolStr, outcome: Outcome, now: Instant) -> Option<Answer> {
        self.running -= 1;
        let entry = self.names.get_mut(hostname)?;
        entry.running = false;
        let Outcome { v4, v6, valid } = outcome;
        let (v4, v6) = match (addresses(v4), addresses(v6)) {
            (None, None) => {
                entry.due = now + RETRY.saturating_mul(1 << entry.failures.min(16)).min(RETRY_LONGEST);
                entry.failures += 1;
                return None;
            }
            both => both,
        };
        let half = v4.is_none() || v6.is_none();
        entry.failures = 0;
        entry.halves = if half { entry.halves + 1 } else { 0 };
        entry.due = now + valid.clamp(SHORTEST, if half { SHORTEST } else { LONGEST });
        let is_whole = !half || entry.halves >= PATIENCE;
        let mut addresses: Vec<_> = v4.into_iter().chain(v6).flatten().collect();
        // Name servers hand them out in another order each time.
        addresses.sort_unstable();
        addresses.dedup();
        Some(Answer { hostname: hostname.clone(), addresses, is_whole })
    }
}

fn addresses(family: Family) -> Option<Vec<IpAddr>> {
    match family {
        Family::Found(addresses) => Some(addresses),
        Family::Absent => Some(Vec::new()),
        Family::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn found(last: u8) -> Family {
        Family::Found(vec![[192, 0, 2, last].into()])
    }

    fn outcome(v4: Family, v6: Family, seconds: u32) -> Outcome {
        Outcome { v4, v6, valid: SECOND * seconds }
    }

    fn names(names: &[&str]) -> Vec<SmolStr> {
        names.iter().map(|name| (*name).into()).collect()
    }

    fn told(schedule: &mut Schedule, outcome: Outcome, now: Instant) -> Option<(Vec<String>, bool)> {
        schedule.start(now);
        let answer = schedule.done(&"a".into(), outcome, now)?;
        Some((answer.addresses.iter().map(ToString::to_string).collect(), answer.is_whole))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_asked_for_again_when_it_expires() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.want(&names(&["a"]), now);
        assert_eq!(schedule.start(now), ["a"]);
        assert_eq!((schedule.start(now).len(), schedule.next()), (0, None));
        schedule.done(&"a".into(), outcome(found(1), Family::Absent, 30), now);
        assert_eq!(schedule.next(), Some(now + 30 * SECOND));
        for (ttl, wait) in [(0, SHORTEST), (100_000, LONGEST)] {
            let mut schedule = Schedule::default();
            schedule.want(&names(&["a"]), now);
            told(&mut schedule, outcome(found(1), Family::Absent, ttl), now);
            assert_eq!(schedule.next(), Some(now + wait));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_says_nothing_and_is_tried_again_later_and_later() {
        let (mut schedule, mut now) = (Schedule::default(), Instant::now());
        schedule.want(&names(&["a"]), now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert_eq!(told(&mut schedule, outcome(Family::Failed, Family::Failed, 30), now), None);
            let next = schedule.next().unwrap();
            waits.push((next - now).as_secs());
            now = next;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }

    #[tokio::test(start_paused = true)]
    async fn half_an_answer_is_told_as_such_until_nobody_expects_the_other_half() {
        let (mut schedule, mut now) = (Schedule::default(), Instant::now());
        schedule.want(&names(&["a"]), now);
        for is_whole in [false, false, true, true] {
            let told = told(&mut schedule, outcome(found(1), Family::Failed, 300), now);
            assert_eq!(told, Some((vec!["192.0.2.1".into()], is_whole)));
            now = schedule.next().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_order_of_an_answer_does_not_matter_and_none_is_one() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.want(&names(&["a"]), now);
        let two = Family::Found([2, 1, 2].map(|last| [192, 0, 2, last].into()).to_vec());
        let answer = told(&mut schedule, outcome(two, Family::Absent, 30), now);
        assert_eq!(answer, Some((vec!["192.0.2.1".into(), "192.0.2.2".into()], true)));
        let later = now + 60 * SECOND;
        assert_eq!(
            told(&mut schedule, outcome(Family::Absent, Family::Absent, 30), later),
            Some((vec![], true))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_wanted_no_more_is_not_told_and_few_are_looked_up_at_once() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        let many: Vec<SmolStr> = (0..100).map(|n| format!("n{n:02}").into()).collect();
        schedule.want(&many, now);
        assert_eq!((schedule.start(now).len(), schedule.start(now).len()), (AT_ONCE, 0));
        schedule.want(&many[1..], now);
        assert!(schedule.done(&"n00".into(), outcome(found(1), found(2), 30), now).is_none());
        assert_eq!(schedule.start(now), ["n32"]);
    }
}
