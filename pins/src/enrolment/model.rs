//! Every interleaving of writers and of a change, step by step, over one entry: a look, a write and a copy's two halves are one
//! each. Whatever a writer was held up between, at rest the map in use says what was written last.

use std::collections::HashSet;

use super::turns::{Turn, Turns};

type Value = Option<u8>;

/// What a party does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fault {
    /// A writer does not look again after it has written.
    LooksOnce,
    /// A writer looks which map stands there before it looks at the phase.
    LooksAtTheMapFirst,
    /// A writer opens the map once and keeps it.
    KeepsItsMap,
    /// A writer does not look at the phase.
    NeverWaits,
    /// The change lets writers go on before the new map has its place.
    ResumesTooEarly,
    /// The change copies before writers wait.
    CopiesTooEarly,
    /// The change has writers wait for ever.
    NeverResumes,
}

/// What a change consists of. An interruption and the start after it are one of the lists below too: it is finished or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Suspend,
    /// Reads the entry in the map in use.
    Read,
    /// Writes what it read into that map.
    Copy(usize),
    Place(usize),
    Resume,
}

const FORTH: [Step; 5] = [Step::Suspend, Step::Read, Step::Copy(1), Step::Place(1), Step::Resume];
const UNDONE: [Step; 4] = [Step::Suspend, Step::Read, Step::Copy(1), Step::Resume];
const NEXT: [Step; 5] = [Step::Suspend, Step::Read, Step::Copy(2), Step::Place(2), Step::Resume];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    suspended: bool,
    /// Which map is in use.
    pinned: usize,
    maps: [Value; 3],
    /// What was read and is to be copied.
    read: Value,
    /// The last one first.
    change: Vec<Step>,
    writers: Vec<Writer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Writer {
    /// The last one first.
    values: Vec<Value>,
    turns: Turns,
    next: Next,
    /// The map that it opened first.
    kept: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Next {
    Phase,
    /// With a map that it saw before.
    PhaseAfter(usize),
    Map,
    Write(usize),
}

impl Writer {
    fn new(values: &[Value], fault: Option<Fault>) -> Self {
        let next = Self::first(fault);
        Self { values: values.iter().rev().copied().collect(), turns: Turns::default(), next, kept: None }
    }

    fn first(fault: Option<Fault>) -> Next {
        match fault {
            Some(Fault::LooksAtTheMapFirst | Fault::NeverWaits) => Next::Map,
            _ => Next::Phase,
        }
    }

    fn rest(&mut self, fault: Option<Fault>) {
        self.values.pop();
        *self = Self { next: Self::first(fault), turns: Turns::default(), kept: None, ..self.clone() };
    }

    /// It has seen that the phase is steady and that this map stands there.
    fn look(&mut self, map: usize, fault: Option<Fault>) {
        let map = if fault == Some(Fault::KeepsItsMap) { *self.kept.get_or_insert(map) } else { map };
        match self.turns.look(u32::try_from(map).unwrap()) {
            Turn::Done => self.rest(fault),
            Turn::Write => self.next = Next::Write(map),
        }
    }
}

impl World {
    fn new(change: &[Step], scripts: &[&[Value]], fault: Option<Fault>) -> Self {
        let mut change = change.to_vec();
        let at = |change: &[Step], step: &dyn Fn(&Step) -> bool| change.iter().position(step).unwrap();
        let places = change.iter().any(|step| matches!(step, Step::Place(_)));
        match fault {
            Some(Fault::ResumesTooEarly) if places => {
                let place = at(&change, &|step| matches!(step, Step::Place(_)));
                change.swap(place, place + 1);
            }
            Some(Fault::CopiesTooEarly) => {
                change.remove(0);
                change.insert(at(&change, &|step| matches!(step, Step::Copy(_))) + 1, Step::Suspend);
            }
            Some(Fault::NeverResumes) => drop(change.pop()),
            _ => {}
        }
        change.reverse();
        let writers = scripts.iter().map(|values| Writer::new(values, fault)).collect();
        Self { suspended: false, pinned: 0, maps: [Some(9), None, None], read: None, change, writers }
    }

    fn change(&mut self) -> bool {
        let Some(step) = self.change.pop() else { return false };
        match step {
            Step::Suspend => self.suspended = true,
            Step::Read => self.read = self.maps[self.pinned],
            Step::Copy(to) => self.maps[to] = self.read,
            Step::Place(map) => self.pinned = map,
            Step::Resume => self.suspended = false,
        }
        true
    }

    /// Whether the writer can do anything.
    fn write(&mut self, at: usize, fault: Option<Fault>) -> bool {
        let (suspended, pinned) = (self.suspended, self.pinned);
        let writer = &mut self.writers[at];
        let Some(&value) = writer.values.last() else { return false };
        match writer.next {
            Next::Phase | Next::PhaseAfter(_) if suspended => return false,
            Next::Phase => writer.next = Next::Map,
            Next::PhaseAfter(map) => writer.look(map, fault),
            Next::Map if fault == Some(Fault::LooksAtTheMapFirst) => writer.next = Next::PhaseAfter(pinned),
            Next::Map => writer.look(pinned, fault),
            Next::Write(map) => {
                self.maps[map] = value;
                writer.next = Writer::first(fault);
                if fault == Some(Fault::LooksOnce) {
                    writer.rest(fault);
                }
            }
        }
        true
    }

    /// At rest.
    fn is_right(&self, scripts: &[&[Value]]) -> bool {
        let nobody_waits = self.writers.iter().all(|writer| writer.values.is_empty());
        let last = |script: &&[Value]| script.last() == Some(&self.maps[self.pinned]);
        nobody_waits && scripts.iter().any(last)
    }
}

/// Whether some interleaving ends wrong, and how many states there are.
fn explore(change: &[Step], scripts: &[&[Value]], fault: Option<Fault>) -> (bool, usize) {
    let start = World::new(change, scripts, fault);
    let (mut seen, mut open) = (HashSet::from([start.clone()]), vec![start]);
    let mut is_wrong = false;
    while let Some(world) = open.pop() {
        let mut at_rest = true;
        for party in 0..=scripts.len() {
            let mut next = world.clone();
            let moved = match party.checked_sub(1) {
                None => next.change(),
                Some(at) => next.write(at, fault),
            };
            at_rest &= !moved;
            if moved && seen.insert(next.clone()) {
                open.push(next);
            }
        }
        is_wrong |= at_rest && !world.is_right(scripts);
    }
    (is_wrong, seen.len())
}

/// Over changes that are done or undone, one after the other, and writers that add, remove, and do both.
fn explore_all(fault: Option<Fault>) -> (bool, usize) {
    let changes =
        [FORTH.to_vec(), UNDONE.to_vec(), [&FORTH[..], &NEXT].concat(), [&UNDONE[..], &NEXT].concat()];
    let scripts: [&[&[Value]]; 6] = [
        &[&[Some(1)]],
        &[&[None]],
        &[&[Some(1), None]],
        &[&[None, Some(1)]],
        &[&[Some(1)], &[None]],
        &[&[Some(1), None], &[Some(2)]],
    ];
    let mut states = 0;
    let mut found = false;
    for change in &changes {
        for script in scripts {
            let (is_wrong, count) = explore(change, script, fault);
            found |= is_wrong;
            states += count;
        }
    }
    (found, states)
}

#[test]
fn whatever_a_writer_is_held_up_between_nothing_is_lost_or_resurrected() {
    let (is_wrong, states) = explore_all(None);
    assert!(!is_wrong);
    assert!(states > 5_000, "only {states} states were looked at");
}

#[test]
fn whoever_breaks_the_rule_is_found() {
    for fault in [
        Fault::LooksOnce,
        Fault::LooksAtTheMapFirst,
        Fault::KeepsItsMap,
        Fault::NeverWaits,
        Fault::ResumesTooEarly,
        Fault::CopiesTooEarly,
        Fault::NeverResumes,
    ] {
        assert!(explore_all(Some(fault)).0, "{fault:?} was not found");
    }
}
