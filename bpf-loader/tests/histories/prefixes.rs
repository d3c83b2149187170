//! A plan may be cut off after any store.

use evermesh_loader::tables::{self, MemoryTables, State, Store};
use proptest::prelude::*;

use crate::{
    SIZES, difference,
    drift::says_what_was_planned,
    everything, lowered,
    meshes::{endpoints, mesh},
    store_all,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the history, after every single store each destination means the old or the new state, and after the last
    /// the tables hold exactly what the model says.
    #[test]
    fn every_prefix_of_a_plan_means_the_old_or_the_new_state(history in prop::collection::vec(mesh(), 1..12)) {
        let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
        let mut before = None;
        for mesh in &history {
            let change = before.map_or_else(|| everything(mesh), |before| difference(&state, before, mesh));
            let stores = tables::plan(&mut state, change).unwrap();
            before = Some(mesh);
            store_all(&mut image, &stores, mesh).map_err(TestCaseError::fail)?;
            prop_assert_eq!(tables::check(&lowered(mesh), &image), Ok(()));
            prop_assert!(state.contents().is_some());
            prop_assert_eq!(tables::adopt(&image).contents(), state.contents());
            prop_assert!(says_what_was_planned(&image, &state));
            let retired = state.take_retired();
            state.reuse(retired);
        }
    }

    /// Cut off after any store, read back and planned again, the tables come to hold the new state; read back
    /// once more there is nothing left to store.
    #[test]
    fn a_plan_cut_off_anywhere_is_finished_by_adoption(
        before in mesh(),
        after in mesh(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
        let first = tables::plan(&mut state, everything(&before)).unwrap();
        store_all(&mut image, &first, &before).map_err(TestCaseError::fail)?;
        let second = tables::plan(&mut state, everything(&after)).unwrap();
        let cut = cut.index(second.len() + 1);
        store_all(&mut image, &second[..cut], &after).map_err(TestCaseError::fail)?;

        let mut adopted = tables::adopt(&image);
        let rest = tables::plan(&mut adopted, everything(&after)).unwrap();
        store_all(&mut image, &rest, &after).map_err(TestCaseError::fail)?;
        prop_assert_eq!(tables::check(&lowered(&after), &image), Ok(()));
        let mut again = tables::adopt(&image);
        prop_assert_eq!(tables::plan(&mut again, everything(&after)).unwrap(), vec![]);
    }
}

/// The oracle of `every_prefix_of_a_plan_means_the_old_or_the_new_state` sees a wrong order.
#[test]
fn slots_written_after_the_word_are_noticed() {
    let (before, after) = (endpoints(0..5), endpoints(8..14));
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    for store in tables::plan(&mut state, everything(&before)).unwrap() {
        assert!(image.store(&store));
    }
    let mut stores = tables::plan(&mut state, everything(&after)).unwrap();
    stores.sort_by_key(|store| matches!(store, Store::Slot { .. }));
    let noticed = store_all(&mut image, &stores, &after).unwrap_err();
    assert!(noticed.contains("not one of"), "{noticed}");
}
