use evermesh_chaos_tests::{
    asked_for,
    oracle::{Event, Verdict},
    steps::Steps,
};

use crate::{
    node::{Node, Wanted},
    told::told,
};

/// One round in so many has a sentinel.
const SENTINEL_EVERY: usize = 30;

const FIRST: Wanted = Wanted { programs: None, larger: false, carried: false, sentinel: false };
const OTHER: Wanted = Wanted { programs: Some("other"), ..FIRST };
const LARGER: Wanted = Wanted { larger: true, ..OTHER };

/// A round leads from the first programs and sizes to others and back, but for the maps that all share: these have the one size
/// after the first round, and the other after the next, and what stands in them is carried over.
const ROUND: [(&str, Wanted, Outcome); 5] = [
    ("rolled back", OTHER, Outcome::RolledBack),
    ("upgraded", OTHER, Outcome::Committed),
    ("resized", LARGER, Outcome::Committed),
    ("downgraded", FIRST, Outcome::Committed),
    ("maps resized", FIRST, Outcome::Committed),
];

#[derive(Clone, Copy, PartialEq)]
pub enum Outcome {
    Committed,
    RolledBack,
}

#[test]
fn sixty_changes_of_each_kind_go_unnoticed() {
    let rounds = asked_for("EVERMESH_EVENTS", 60);
    let node = Node::new();
    let report = node.under_traffic(|| (0..rounds).flat_map(|number| round(&node, number)).collect());
    println!("{report}{}", told(&report));
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    assert_eq!(report.events.len(), ROUND.len() * rounds);
}

fn round(node: &Node, number: usize) -> [Event; ROUND.len()] {
    let sentinel = number.is_multiple_of(SENTINEL_EVERY);
    ROUND.map(|(kind, wanted, outcome)| {
        let carried = (number + usize::from(kind == "maps resized")) % 2 == 1;
        change(node, kind, Wanted { carried, sentinel, ..wanted }, outcome)
    })
}

pub fn change(node: &Node, kind: &str, wanted: Wanted, outcome: Outcome) -> Event {
    let steps = Steps::default();
    let mut plane = node.start(wanted, steps.watch());
    let report = plane.report().unwrap().unwrap();
    assert_eq!((report.differences, report.sentinels.and_then(|it| it.example)), (0, None), "{kind}");
    match outcome {
        Outcome::Committed => plane.commit().unwrap(),
        Outcome::RolledBack => plane.roll_back("a test").unwrap(),
    }
    steps.take().event(kind).unwrap()
}
