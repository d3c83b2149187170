//! When which hostname is looked up. Pure.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use evermesh_model::SmolStr;
use tokio::time::Instant;

use crate::client::Answer;

/// Lookups at a time.
const AT_ONCE: usize = 32;
/// Of these, of names that were not answered, or only half, the last time: whoever is silent holds up nobody else.
const SLOW_AT_ONCE: usize = AT_ONCE / 2;
/// So long is waited for a name that may be anything. One that was slow then takes the time that its name servers need.
const QUICK: Duration = Duration::from_secs(2);
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
    /// The same in slow lanes.
    running_slow: usize,
}

/// A lookup that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    pub hostname: SmolStr,
    /// How long to wait for each family; `None`: as long as the name servers are asked.
    pub longest: Option<Duration>,
}

#[derive(Debug)]
struct Entry {
    due: Instant,
    running: bool,
    failures: u32,
    /// Half answers in a row.
    halves: u32,
}

impl Entry {
    fn is_slow(&self) -> bool {
        self.failures > 0 || self.halves > 0
    }
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

    /// What is to be looked up now: who has waited longest first.
    pub fn start(&mut self, now: Instant) -> Vec<Lookup> {
        let mut due: Vec<_> =
            self.names.iter_mut().filter(|(_, entry)| !entry.running && entry.due <= now).collect();
        due.sort_by_key(|(_, entry)| entry.due);
        let mut lookups = Vec::new();
        for (name, entry) in due {
            let slow = entry.is_slow();
            if self.running == AT_ONCE || slow && self.running_slow == SLOW_AT_ONCE {
                continue;
            }
            entry.running = true;
            self.running += 1;
            self.running_slow += usize::from(slow);
            lookups.push(Lookup { hostname: name.clone(), longest: (!slow).then_some(QUICK) });
        }
        lookups
    }

    /// When something is to be looked up next; `None`: not before something else has happened.
    pub fn next(&self) -> Option<Instant> {
        let has_room =
            |entry: &&Entry| !entry.running && (!entry.is_slow() || self.running_slow < SLOW_AT_ONCE);
        let waiting = self.names.values().filter(has_room).map(|entry| entry.due);
        waiting.min().filter(|_| self.running < AT_ONCE)
    }

    /// Takes in what a lookup has come to, and says what is to be told.
    pub fn done(&mut self, lookup: &Lookup, outcome: Outcome, now: Instant) -> Option<Answer> {
        let Lookup { hostname, longest } = lookup;
        self.running -= 1;
        self.running_slow -= usize::from(longest.is_none());
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
