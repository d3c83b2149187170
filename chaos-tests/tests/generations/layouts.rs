use evermesh_chaos_tests::{
    asked_for,
    oracle::{Event, Verdict},
};
use evermesh_pins::layout::Known;

use crate::{
    events::{Outcome, change},
    node::{Node, Wanted},
    told::told,
};

/// The data plane of the release of `variants/releases/layouts.patch`: all its maps have other layouts.
const LATER: &str = "evermesh-plane-layouts";

#[test]
fn forty_migrations_to_other_layouts_and_back_go_unnoticed() {
    let rounds = asked_for("EVERMESH_MIGRATIONS", 40);
    let node = Node::new();
    let report = node.under_traffic(|| (0..rounds).flat_map(|_| there_and_back(&node)).collect());
    println!("{report}{}", told(&report));
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    assert_eq!(report.events.len(), 3 * rounds);
}

/// The later release brings all maps anew. Back again, it steps down, which brings those anew that programs write, and then
/// this one does so with all others.
fn there_and_back(node: &Node) -> [Event; 3] {
    let by_later = |kind, then, known| {
        let course = node.start_by(LATER, then);
        assert_eq!(node.known(), known, "{kind}");
        course.steps.event(kind).unwrap()
    };
    [
        by_later("migrated up", "commit", None),
        by_later("stepped down", "step-down", Some(Known::Own)),
        change(node, "migrated down", Wanted::default(), Outcome::Committed),
    ]
}
