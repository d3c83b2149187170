use evermesh_chaos_tests::oracle::{Event, KindReport, Report, Verdict};

use crate::{
    asked_for,
    node::{Node, Steps, Wanted},
};

/// One round in so many has a sentinel.
const SENTINEL_EVERY: usize = 30;

const FIRST: Wanted = Wanted { programs: None, larger: false, carried: false, sentinel: false };
const OTHER: Wanted = Wanted { programs: Some("other"), ..FIRST };
const LARGER: Wanted = Wanted { larger: true, ..OTHER };

/// A round leads from the first programs and sizes to others and back, but for what is carried over: that is in the one size
/// after the first round, and in the other after the next.
const ROUND: [(&str, Wanted, Outcome); 5] = [
    ("rolled back", OTHER, Outcome::RolledBack),
    ("upgraded", OTHER, Outcome::Committed),
    ("resized", LARGER, Outcome::Committed),
    ("downgraded", FIRST, Outcome::Committed),
    ("carried over", FIRST, Outcome::Committed),
];

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
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
        let carried = (number + usize::from(kind == "carried over")) % 2 == 1;
        change(node, kind, Wanted { carried, sentinel, ..wanted }, outcome)
    })
}

fn change(node: &Node, kind: &str, wanted: Wanted, outcome: Outcome) -> Event {
    let steps = Steps::default();
    let mut plane = node.start(wanted, steps.watch());
    let report = plane.report().unwrap().unwrap();
    assert_eq!((report.differences, report.sentinels.and_then(|it| it.example)), (0, None), "{kind}");
    match outcome {
        Outcome::Committed => plane.commit().unwrap(),
        Outcome::RolledBack => plane.roll_back("a test").unwrap(),
    }
    steps.event(kind)
}

fn told(report: &Report) -> String {
    let line = |(kind, seen): (&String, &KindReport)| {
        let (before, during) = (&seen.before, &seen.during);
        let overlapping =
            report.events.iter().filter(|it| it.event.kind == *kind).map(|it| it.overlapping).min();
        format!(
            "{kind}: {} events, {} attempts (at least {} each), connect p50/p99 before {before}, during {during}, longest stall {:?}\n",
            seen.events,
            seen.attempts,
            overlapping.unwrap_or(0),
            seen.longest_stall
        )
    };
    report.kinds.iter().map(line).collect()
}
