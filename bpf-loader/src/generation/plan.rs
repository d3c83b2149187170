//! Which steps a change of generation consists of.

use evermesh_pins::{Hook, Table};

use super::{Change, Entry, Stage, Step};

/// Makes a generation aside.
pub fn making(generation: u32) -> Vec<Step> {
    let tables = Table::OF_GENERATION.map(|table| Step::PinTable { generation, table });
    let programs = Hook::ALL
        .into_iter()
        .flat_map(|hook| [Step::LoadProgram { generation, hook }, Step::PinProgram { generation, hook }]);
    [Step::MakeRoom { generation }, Step::MakeMaps { generation }]
        .into_iter()
        .chain(tables)
        .chain(programs)
        .chain([Step::Fill { generation }, Step::Finish { generation }])
        .collect()
}

/// The first generation. `live` names it before the first hook is attached, so that a start that is interrupted is told
/// apart from a foreign hook.
pub fn first(generation: u32, unfinished: &[u32]) -> Vec<Step> {
    let remove = unfinished.iter().map(|&generation| Step::Remove { generation });
    let attach = Hook::ALL.map(|hook| Step::Attach { hook, generation });
    remove.chain(making(generation)).chain([Step::MakeLive { generation }]).chain(attach).collect()
}

/// Makes the next generation and leads the links to it, those first that read what others write.
pub fn trying(change: &Change, linked: &[Hook]) -> Vec<Step> {
    let &Change { from, to, .. } = change;
    let begin = Step::Record(Entry::Begin(Change { stage: Stage::Making, ..change.clone() }));
    let switch = linked.iter().map(|&hook| Step::Switch { hook, from, to });
    [begin]
        .into_iter()
        .chain(making(to))
        .chain([Step::Rehearse { generation: to }, Step::Record(Entry::Reached(Stage::Trial))])
        .chain(switch)
        .chain([Step::Barrier])
        .collect()
}

/// The generation on trial stays.
pub fn committing(change: &Change) -> Vec<Step> {
    vec![
        Step::Record(Entry::Reached(Stage::Committed)),
        Step::MakeLive { generation: change.to },
        Step::Record(Entry::Done),
        Step::Remove { generation: change.from },
    ]
}

/// The generation on trial goes. The links come back in the order in which they went, for the same reason.
pub fn rolling_back(change: &Change, linked: &[Hook], reason: &str) -> Vec<Step> {
    let &Change { from, to, .. } = change;
    let switch = linked.iter().map(|&hook| Step::Switch { hook, from: to, to: from });
    [Step::Record(Entry::Reached(Stage::RollingBack))]
        .into_iter()
        .chain(switch)
        .chain([
            Step::Barrier,
            Step::Record(Entry::Undone { reason: reason.to_owned() }),
            Step::Remove { generation: to },
        ])
        .collect()
}
