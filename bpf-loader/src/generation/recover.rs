use std::collections::{BTreeMap, BTreeSet};

use evermesh_abi::control::PHASE_STEADY;
use evermesh_pins::{BridgeEnd, GenerationPins, Hook, Inventory, ProgramPin, Table};

use super::{
    Change, Entry, Journal, Programs, Stage, Step,
    plan::{self, Links},
};

/// What stands in bpffs, as far as a start decides by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The generation that `live` names.
    pub live: Option<u32>,
    /// Every generation, with the digest of its eBPF object; none: it is unfinished.
    pub generations: BTreeMap<u32, Option<[u8; 32]>>,
    /// Which programs each link attaches; without links that hook nothing.
    pub links: Links,
    /// Hooks whose link attaches a program of somebody else.
    pub foreign: BTreeSet<Hook>,
    /// Frozen maps that generations bring and that are not in use yet.
    pub carried: BTreeMap<u32, Vec<Table>>,
    /// Generations that a bridge leads to.
    pub bridges: BTreeSet<u32>,
    /// Whoever writes `enrolled` waits.
    pub suspended: bool,
}

/// What a start does with what it finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing is live: make the first generation, after these unfinished ones are removed.
    Fresh {
        /// Number of the new generation.
        number: u32,
        /// Left by a start that was interrupted.
        remove: Vec<u32>,
        /// Whoever writes `enrolled` still waits.
        suspended: bool,
    },
    /// Take a generation over.
    Adopt(Adoption),
}

/// How to take a generation over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// The generation that stays.
    pub generation: u32,
    /// What finishes or undoes a change that was interrupted, once the tables of that generation are up to date.
    pub steps: Vec<Step>,
    /// The same, for people.
    pub notes: Vec<String>,
    /// Number of the next generation, if one is needed.
    pub next: u32,
    /// SHA-256 of the eBPF object of the generation that stays.
    pub object: [u8; 32],
}

impl Observed {
    /// Of an inventory in which [`evermesh_pins::verify`] found nothing wrong when the agent started.
    pub fn of(inventory: &Inventory) -> Self {
        let generations = || inventory.generations.iter().map(|(&number, pins)| (number, pins));
        let runs = |hook: &Hook, id: u32| generations().find_map(|(n, pins)| programs(n, pins, hook, id));
        let hooking = inventory.links.iter().filter(|(_, link)| link.hooks());
        let attached: BTreeMap<_, _> =
            hooking.map(|(&hook, link)| (hook, runs(&hook, link.info.program_id))).collect();
        let carried = |pins: &GenerationPins| pins.carried.keys().copied().collect::<Vec<_>>();
        let brings = generations().map(|(number, pins)| (number, carried(pins)));
        let bridged = generations().filter(|(_, pins)| !pins.bridge.is_empty());
        Self {
            live: inventory.live,
            generations: generations()
                .map(|(n, pins)| (n, pins.manifest.as_ref().map(|m| m.object)))
                .collect(),
            links: attached.iter().filter_map(|(&hook, own)| Some((hook, (*own)?))).collect(),
            foreign: attached.iter().filter(|(_, own)| own.is_none()).map(|(&hook, _)| hook).collect(),
            carried: brings.filter(|(_, carried)| !carried.is_empty()).collect(),
            bridges: bridged.map(|(number, _)| number).collect(),
            suspended: inventory.phase != PHASE_STEADY,
        }
    }

    fn object(&self, generation: u32) -> Option<[u8; 32]> {
        self.generations.get(&generation).copied().flatten()
    }
}

/// Which programs of this generation the program of that id belongs to.
fn programs(number: u32, pins: &GenerationPins, hook: &Hook, id: u32) -> Option<Programs> {
    let is_it = |pin: &ProgramPin| pin.info.id == id;
    let crosses = |end: &BridgeEnd| pins.bridge.get(&(*end, *hook)).is_some_and(is_it);
    let own = pins.programs.get(hook).is_some_and(is_it).then_some(Programs::Of(number));
    let end = BridgeEnd::ALL.into_iter().find(crosses);
    own.or(end.map(|end| Programs::Bridge(number, end)))
}

/// Decides what becomes of what stands. A change that was committed is finished; any other is undone, because of `why`.
pub fn recover(journal: &Journal, observed: &Observed, why: &str) -> Recovery {
    // `live` may name one that is gone: an interrupted removal has left it. It must not name one that is made anew.
    let last = observed.generations.keys().copied().max().max(observed.live);
    let next = last.map_or(1, |last| last + 1);
    let Some((live, _)) = observed.live.and_then(|live| Some((live, observed.object(live)?))) else {
        let remove = observed.generations.keys().copied().collect();
        return Recovery::Fresh { number: next, remove, suspended: observed.suspended };
    };
    let change = journal.change.as_ref();
    let committed = change.filter(|c| c.stage == Stage::Committed && c.from == live).map(|c| c.to);
    let generation = committed.filter(|&to| observed.object(to).is_some()).unwrap_or(live);
    let object = observed.object(generation).unwrap_or_default();

    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    if generation != live {
        steps.push(Step::MakeLive { generation });
    }
    let own = Programs::Of(generation);
    steps.extend(plan::crossing(&observed.links, generation));
    let elsewhere = observed.links.iter().filter(|(_, at)| **at != own);
    notes.extend(elsewhere.map(|(hook, at)| format!("{hook} was led from {at} to {own}")));
    // Whoever has put a program of its own at a hook while this one ran keeps it.
    let stands = |hook: &Hook| observed.links.contains_key(hook) || observed.foreign.contains(hook);
    for hook in Hook::ALL.into_iter().filter(|hook| !stands(hook)) {
        steps.push(Step::Attach { hook, generation });
        notes.push(format!("{hook} had no link and was attached"));
    }
    let others = observed.generations.keys().copied().filter(|&number| number != generation);
    let others: Vec<u32> = others.collect();
    let carried = observed.carried.get(&generation).map_or(&[][..], Vec::as_slice);
    if !others.is_empty() || !carried.is_empty() {
        steps.push(Step::Barrier);
    }
    let stays = change.filter(|change| change.to == generation);
    let record = change.map(|change| Step::Record(outcome(change, stays.is_some(), why)));
    if stays.is_none() {
        steps.extend(record.clone());
    }
    for generation in others {
        steps.extend(plan::leaving(generation));
        notes.push(format!("generation {generation} was removed: it was not live"));
    }
    let lost = stays.map_or(&[][..], |change| &change.lost);
    steps.extend(plan::settling(generation, carried, lost, observed.bridges.contains(&generation)));
    if observed.suspended {
        steps.push(Step::Resume);
        notes.push("a change of enrolled was interrupted: whoever waited to write it goes on".to_owned());
    }
    // Until then the journal says what is lost.
    if stays.is_some() {
        steps.extend(record);
    }
    notes.extend(
        carried.iter().map(|table| format!("{table} that generation {generation} brought took its place")),
    );
    Recovery::Adopt(Adoption { generation, steps, notes, next, object })
}

/// One that was committed and is gone has not failed: a removal took it, and its end could not be written down.
fn outcome(change: &Change, stays: bool, why: &str) -> Entry {
    if stays || change.stage == Stage::Committed {
        Entry::Done
    } else {
        Entry::Undone { reason: format!("{why} (while it was {})", change.stage) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TableSizes, generation::Wanted};

    /// What the journal says after a start over generation 1 alone, of a change to generation 2.
    fn settled(stage: Stage) -> Journal {
        let wanted = Wanted { object: [1; 32], sizes: TableSizes::DEFAULT };
        let change = Change { from: 1, to: 2, wanted, stage, lost: Vec::new() };
        let journal = Journal { change: Some(change), ..Journal::default() };
        let observed =
            Observed { live: Some(1), generations: [(1, Some([2; 32]))].into(), ..Observed::default() };
        let Recovery::Adopt(Adoption { steps, .. }) = recover(&journal, &observed, "it fell") else {
            panic!()
        };
        let entries = steps.iter().filter_map(|step| match step {
            Step::Record(entry) => Some(entry),
            _ => None,
        });
        entries.fold(journal, Journal::after)
    }

    #[test]
    fn a_change_that_was_committed_and_went_with_a_removal_has_not_failed() {
        assert_eq!(settled(Stage::Committed), Journal::default());
        for stage in [Stage::Making, Stage::Trial, Stage::RollingBack] {
            let failures = settled(stage).failures.unwrap();
            assert_eq!(failures.count, 1);
            assert!(failures.reason.starts_with("it fell (while it was"), "{failures:?}");
        }
    }
}
