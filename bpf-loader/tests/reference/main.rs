//! Random histories of meshes, planned and stored as the data plane does it, on an image of the tables: after each step
//! every destination leads where the reference says that it should, and a restart finds nothing to store.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod agreement;
mod kernel;
mod mistakes;
mod node;
mod watched;

use evermesh_model::Place;
use evermesh_reference::history::{Mesh, NODE, Step};
use proptest::prelude::*;

use agreement::disagreement;
use node::{Mistake, NO_MISTAKE, Node, Work};

/// Of these a hundredth is left out, by which a history that fails is made short.
const STEPS: usize = 204;

type History = Vec<Option<(Step, Work)>>;

fn history() -> impl Strategy<Value = History> {
    let work = prop_oneof![1 => Just(Work::Restart), 7 => Just(Work::Nothing), 56 => Just(Work::Reclaim)];
    let step = (any::<u8>(), any::<u8>(), any::<u32>(), work)
        .prop_map(|(what, who, number, work)| (Step::new(what, who, number), work));
    prop::collection::vec(prop::option::weighted(0.99, step), STEPS)
}

/// What the tables say wrongly after one of the steps.
fn first_disagreement(history: &History, mistake: Mistake) -> Option<String> {
    let (mut mesh, mut node) = (Mesh::default(), Node::new(mistake));
    history.iter().flatten().find_map(|(step, work)| {
        mesh.step(step);
        let snapshot = mesh.snapshot().unwrap();
        node.step(&snapshot, *work);
        if let Some(store) = node.rewritten.first() {
            return Some(format!("at a restart before {step:?}: {store:?}"));
        }
        let wrong = disagreement(&snapshot, &Place::of_node(NODE, &snapshot), &node.image)?;
        Some(format!("after {step:?}: {wrong}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, max_shrink_iters: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn the_tables_lead_where_the_reference_says(history in history()) {
        if let Some(disagreement) = first_disagreement(&history, NO_MISTAKE) {
            let steps: Vec<String> = history.iter().flatten().map(|step| format!("{step:?}")).collect();
            prop_assert!(false, "{disagreement}\nin this history:\n{}", steps.join("\n"));
        }
    }
}
