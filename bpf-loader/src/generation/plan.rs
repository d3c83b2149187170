//! Which steps a change of generation consists of.
//!
//! A change that brings frozen maps anew (`carried`) has programs in between, the bridge. Both ends of it write the maps in
//! use and those that are brought; the near one reads the former, the far one the latter. So programs of two sets that
//! follow each other can run side by side, in any mixture: what one reads, the other writes.
//!
//! ```text
//! programs      before      near      far       own
//! read          old         old       new       new
//! write         old         both      both      new
//!                     trial      |  committed
//! ```
//!
//! Maps whose loss was declared (`lost`) are brought anew too, and no bridge leads to them: links go straight to programs that know no
//! others. From then on the old ones stand still: a roll-back finds them as they were, and a commit counts what is lost with them.

use std::collections::BTreeMap;

use evermesh_pins::{BridgeEnd, Hook, Table};

use super::{Change, Entry, Programs, Stage, Step};

/// Which programs each link attaches.
pub type Links = BTreeMap<Hook, Programs>;

/// Makes a generation aside, and the bridge to it.
fn making(generation: u32, carried: &[Table], bridged: bool) -> Vec<Step> {
    let maps = Step::MakeMaps { generation, carried: carried.to_vec() };
    let mut steps = vec![Step::MakeRoom { generation }, maps];
    steps.extend(Table::OF_GENERATION.map(|table| Step::PinTable { generation, table }));
    steps.extend(carried.iter().map(|&table| Step::PinCarried { generation, table }));
    steps.extend(programs(Programs::Of(generation)));
    if bridged {
        for end in BridgeEnd::ALL {
            steps.push(Step::MakeBridge { generation, end });
            steps.extend(programs(Programs::Bridge(generation, end)));
        }
    }
    steps.extend([Step::Fill { generation }, Step::Finish { generation }]);
    steps
}

fn programs(of: Programs) -> impl Iterator<Item = Step> {
    let each = move |hook| [Step::LoadProgram { of, hook }, Step::PinProgram { of, hook }];
    Hook::ALL.into_iter().flat_map(each)
}

/// The first generation. `live` names it before the first hook is attached, so that a start that is interrupted is told
/// apart from a foreign hook. What was counted before went with what stood before. What stands in frozen maps of other layouts, `left`
/// by a removal that was interrupted, comes over: no program writes them.
pub fn first(generation: u32, unfinished: &[u32], suspended: bool, left: &[Table]) -> Vec<Step> {
    let remove = unfinished.iter().map(|&generation| Step::Remove { generation });
    let attach = Hook::ALL.map(|hook| Step::Attach { hook, generation });
    [Step::BeginTally]
        .into_iter()
        .chain(remove)
        .chain(making(generation, left, false))
        .chain(moving_in(generation, left))
        .chain([Step::MakeLive { generation }])
        .chain(attach)
        .chain(suspended.then_some(Step::Resume).or(resuming(left)))
        .collect()
}

/// A generation goes whose programs run no more: what it has counted is kept first.
pub fn leaving(generation: u32) -> [Step; 2] {
    [Step::Count { generation }, Step::Remove { generation }]
}

/// Frozen maps take the place of those that are left. Whoever writes `enrolled` waits.
fn moving_in(generation: u32, left: &[Table]) -> impl Iterator<Item = Step> {
    let waits = left.contains(&Table::Enrolled).then_some([Step::Suspend, Step::Barrier]);
    let sweep = left.iter().map(move |&table| Step::Sweep { generation, table });
    waits.into_iter().flatten().chain(sweep).chain(settling(generation, left, &[], false))
}

/// Those of a list that can be done before it is known what the tables will hold, and the others.
pub fn ahead(steps: &[Step]) -> (&[Step], &[Step]) {
    let fill = steps.iter().position(|step| matches!(step, Step::Fill { .. })).unwrap_or(0);
    steps.split_at(fill)
}

/// Makes the next generation and leads the links to it. Where it brings frozen maps, the links are led to the near end of the bridge,
/// and what stood before is swept once no other program can write. Where it brings `enrolled`, which only user space writes, writers wait
/// before that is copied, and until the generation stays or goes; the barrier is for one that is about to look at the phase.
pub fn trying(change: &Change, links: &Links, carried: &[Table]) -> Vec<Step> {
    let generation = change.to;
    let near = Programs::Bridge(generation, BridgeEnd::Near);
    let to = if is_bridged(change, carried) { near } else { Programs::Of(generation) };
    let mut steps = vec![Step::Record(Entry::Begin(Change { stage: Stage::Making, ..change.clone() }))];
    steps.extend(making(generation, carried, is_bridged(change, carried)));
    steps.extend([Step::Rehearse { generation }, Step::Look { generation: change.from }]);
    if carried.contains(&Table::Enrolled) {
        let table = Table::Enrolled;
        steps.extend([Step::Suspend, Step::Barrier, Step::Sweep { generation, table }]);
    }
    steps.push(Step::Record(Entry::Reached(Stage::Trial)));
    steps.extend(switching(links, to));
    steps.push(Step::Barrier);
    steps.extend(mirrored(change, carried).map(|table| Step::Sweep { generation, table }));
    steps
}

/// The generation on trial stays. The one before goes first: its programs use maps that lose their pins.
pub fn committing(change: &Change, links: &Links, carried: &[Table]) -> Vec<Step> {
    let generation = change.to;
    let mut steps = vec![Step::Record(Entry::Reached(Stage::Committed)), Step::MakeLive { generation }];
    if is_bridged(change, carried) {
        steps.extend(crossing(links, generation));
        steps.push(Step::Barrier);
    }
    steps.extend(leaving(change.from));
    steps.extend(settling(generation, carried, &change.lost, is_bridged(change, carried)));
    steps.extend(resuming(carried));
    steps.push(Step::Record(Entry::Done));
    steps
}

/// What is left to do once a generation is alone and only its own programs are attached. The bridge goes first: its
/// programs use maps that lose their pins. What is lost is counted while it can be found.
pub fn settling(
    generation: u32,
    carried: &[Table],
    lost: &[Table],
    bridged: bool,
) -> impl Iterator<Item = Step> {
    let replace = carried.iter().flat_map(move |&table| {
        let count = lost.contains(&table).then_some(Step::CountLost { table });
        count.into_iter().chain([Step::Replace { generation, table }])
    });
    bridged.then_some(Step::RemoveBridge { generation }).into_iter().chain(replace)
}

/// The generation on trial goes, with the frozen maps that it brought: those in use are complete.
pub fn rolling_back(change: &Change, links: &Links, carried: &[Table], reason: &str) -> Vec<Step> {
    let mut steps = vec![Step::Record(Entry::Reached(Stage::RollingBack))];
    steps.extend(switching(links, Programs::Of(change.from)));
    steps.push(Step::Barrier);
    steps.push(Step::Record(Entry::Undone { reason: reason.to_owned() }));
    steps.extend(leaving(change.to));
    steps.extend(resuming(carried));
    steps
}

/// Whoever waited to write `enrolled` goes on, last of all: the map that stands there stays.
fn resuming(carried: &[Table]) -> Option<Step> {
    carried.contains(&Table::Enrolled).then_some(Step::Resume)
}

/// Those of them that programs write: they are led there by a bridge, unless they are lost.
fn mirrored(change: &Change, carried: &[Table]) -> impl Iterator<Item = Table> {
    let led = |table: &Table| Table::CARRIED.contains(table) && !change.lost.contains(table);
    carried.iter().copied().filter(led)
}

fn is_bridged(change: &Change, carried: &[Table]) -> bool {
    mirrored(change, carried).next().is_some()
}

/// Leads the links to a generation's own programs, by way of the far end of the bridge for those that are at the near
/// one. All have come there, and no run of the near end is left, before the first goes on.
pub fn crossing(links: &Links, generation: u32) -> Vec<Step> {
    let [near, far] = BridgeEnd::ALL.map(|end| Programs::Bridge(generation, end));
    let behind: Links = links.iter().filter(|(_, at)| **at == near).map(|(&hook, &at)| (hook, at)).collect();
    let mut steps: Vec<Step> = switching(&behind, far).collect();
    if links.values().any(|at| *at == near || *at == far) {
        steps.push(Step::Barrier);
    }
    let arrived = |(&hook, &at): (&Hook, &Programs)| (hook, if at == near { far } else { at });
    let arrived: Links = links.iter().map(arrived).collect();
    steps.extend(switching(&arrived, Programs::Of(generation)));
    steps
}

/// Leads the links to these programs, those first that read what others write. The release hook is the first of all: what
/// a program writes into a map must not outlive its socket there.
pub fn switching(links: &Links, to: Programs) -> impl Iterator<Item = Step> {
    let other = links.iter().filter(move |(_, from)| **from != to);
    other.map(move |(&hook, &from)| Step::Switch { hook, from, to })
}
