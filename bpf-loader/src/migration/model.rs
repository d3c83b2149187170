//! Every interleaving of bridge programs and the sweep over one entry, step by step: a look-up, a write or a deletion is one.
//! Whatever stood in the secondary, at rest it says what the primary says.

use std::collections::HashSet;

use super::{Settling, Turn};

type Value = Option<u8>;

/// What a party does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fault {
    /// The sweep does not look again after it has written.
    LooksOnce,
    /// The sweep leaves alone what stands in the secondary.
    NeverOverwrites,
    /// The sweep deletes what the primary lacks, and does not look whether it has come back.
    DeletesForGood,
    /// A bridge writes the secondary before the primary.
    SecondaryFirst,
    /// A bridge deletes from the primary only.
    DeletesFromPrimaryOnly,
    /// A bridge writes to the secondary only what it does not have.
    WritesWhatIsAbsent,
    /// A bridge does not look again.
    MirrorsOnce,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    primary: Value,
    secondary: Value,
    parties: Vec<Party>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Party {
    /// Changes to make, the last one first; the sweep makes none.
    changes: Vec<Value>,
    is_sweep: bool,
    next: Next,
    settling: Settling<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Next {
    Change,
    Look,
    Lead(Value),
    /// The primary is changed after the secondary was.
    ChangeLate(Value),
}

impl Party {
    fn bridge(mut changes: Vec<Value>) -> Self {
        changes.reverse();
        Self { changes, is_sweep: false, next: Next::Change, settling: Settling::default() }
    }

    fn sweep() -> Self {
        Self { changes: Vec::new(), is_sweep: true, next: Next::Look, settling: Settling::default() }
    }

    fn is_done(&self) -> bool {
        self.next == Next::Change && self.changes.is_empty()
    }

    fn rest(&mut self) {
        self.next = Next::Change;
        self.settling = Settling::default();
    }
}

fn step(world: &mut World, at: usize, fault: Option<Fault>) {
    let World { primary, secondary, parties } = world;
    let party = &mut parties[at];
    match std::mem::replace(&mut party.next, Next::Look) {
        Next::Change => {
            let change = party.changes.pop().unwrap_or_default();
            if fault == Some(Fault::SecondaryFirst) {
                *secondary = change;
                party.next = Next::ChangeLate(change);
                return;
            }
            *primary = change;
            if change.is_none() && fault == Some(Fault::DeletesFromPrimaryOnly) {
                party.rest();
            }
        }
        Next::ChangeLate(change) => {
            *primary = change;
            party.rest();
        }
        Next::Look => match party.settling.look(*primary) {
            Turn::Agreed => party.rest(),
            Turn::Lead(value) => party.next = Next::Lead(value.copied()),
        },
        Next::Lead(value) => {
            let keeps = match fault {
                Some(Fault::NeverOverwrites) => party.is_sweep,
                Some(Fault::WritesWhatIsAbsent) => !party.is_sweep,
                _ => false,
            };
            if !(keeps && value.is_some() && secondary.is_some()) {
                *secondary = value;
            }
            let ends = match fault {
                Some(Fault::LooksOnce) => party.is_sweep,
                Some(Fault::DeletesForGood) => party.is_sweep && value.is_none(),
                Some(Fault::MirrorsOnce) => !party.is_sweep,
                _ => false,
            };
            if ends {
                party.rest();
            }
        }
    }
}

/// Whether some interleaving ends in disagreement, and how many states there are.
fn explore(start: World, fault: Option<Fault>) -> (bool, usize) {
    let (mut seen, mut open) = (HashSet::from([start.clone()]), vec![start]);
    let mut disagrees = false;
    while let Some(world) = open.pop() {
        let mut ended = true;
        for at in 0..world.parties.len() {
            if world.parties[at].is_done() {
                continue;
            }
            ended = false;
            let mut next = world.clone();
            step(&mut next, at, fault);
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
        disagrees |= ended && world.primary != world.secondary;
    }
    (disagrees, seen.len())
}

/// Whether any interleaving ends in disagreement, and how many states were looked at. The secondary begins as anything that a
/// mixture of programs may have left.
fn explore_all(fault: Option<Fault>) -> (bool, usize) {
    let values = [None, Some(1), Some(2)];
    let scripts = [
        vec![vec![Some(3)], vec![Some(4)]],
        vec![vec![Some(3), None], vec![Some(4)]],
        vec![vec![None, Some(3)], vec![None]],
        vec![vec![None, Some(3), None]],
        vec![vec![Some(3), Some(1), Some(3)]],
        vec![vec![]],
    ];
    let mut states = 0;
    let mut found = false;
    for (primary, secondary, script) in values
        .iter()
        .flat_map(|&p| values.iter().map(move |&s| (p, s)))
        .flat_map(|(p, s)| scripts.iter().map(move |script| (p, s, script)))
    {
        let bridges = script.iter().cloned().map(Party::bridge);
        let parties = bridges.chain([Party::sweep()]).collect();
        let (disagrees, count) = explore(World { primary, secondary, parties }, fault);
        found |= disagrees;
        states += count;
    }
    (found, states)
}

#[test]
fn every_interleaving_of_bridges_and_the_sweep_ends_in_agreement() {
    let (disagrees, states) = explore_all(None);
    assert!(!disagrees);
    assert!(states > 10_000, "only {states} states were looked at");
}

#[test]
fn whoever_breaks_the_rule_is_found() {
    for fault in [
        Fault::LooksOnce,
        Fault::NeverOverwrites,
        Fault::DeletesForGood,
        Fault::SecondaryFirst,
        Fault::DeletesFromPrimaryOnly,
        Fault::WritesWhatIsAbsent,
        Fault::MirrorsOnce,
    ] {
        assert!(explore_all(Some(fault)).0, "{fault:?} was not found");
    }
}
