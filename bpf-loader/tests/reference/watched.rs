//! While a step is stored, each destination leads where it led or where it will lead.

use evermesh_loader::tables::Store;
use evermesh_reference::history::Mesh;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};

use crate::{
    history,
    node::{Mistake, NO_MISTAKE, Node},
};

const HISTORIES: usize = 6;

/// The first destination that leads elsewhere, in histories that are always the same ones.
fn stray(mistake: Mistake) -> Option<String> {
    let mut runner = TestRunner::deterministic();
    let histories = (0..HISTORIES).map(|_| history().new_tree(&mut runner).unwrap().current());
    histories.into_iter().find_map(|history| {
        let (mut mesh, mut node) = (Mesh::default(), Node::new(mistake));
        node.watched = true;
        history.iter().flatten().find_map(|(step, work)| {
            mesh.step(step);
            node.step(&mesh.snapshot().unwrap(), *work);
            node.stray.take().map(|stray| format!("while {step:?}: {stray}"))
        })
    })
}

#[test]
fn no_store_leads_elsewhere() {
    assert_eq!(stray(NO_MISTAKE), None);
}

#[test]
fn keys_that_go_after_their_endpoints_have_changed_are_noticed() {
    let last =
        |stores: &mut Vec<Store>| stores.sort_by_key(|one| matches!(one, Store::RemoveFrontend { .. }));
    assert!(stray(Mistake { stores: last, ..NO_MISTAKE }).is_some());
}

#[test]
fn words_that_come_before_their_slots_are_noticed() {
    let last = |stores: &mut Vec<Store>| stores.sort_by_key(|one| matches!(one, Store::Slot { .. }));
    assert!(stray(Mistake { stores: last, ..NO_MISTAKE }).is_some());
}
