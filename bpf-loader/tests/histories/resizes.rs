//! The same state in tables of other sizes.

use evermesh_loader::{
    TableSizes,
    tables::{self, MemoryTables, State},
};
use proptest::prelude::*;

use crate::{SIZES, everything, lowered, meshes::mesh};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Ids and slots keep their places in larger tables.
    #[test]
    fn a_larger_generation_holds_the_same_state(mesh in mesh()) {
        let mut state = State::empty(SIZES);
        tables::plan(&mut state, everything(&mesh)).unwrap();
        let larger = TableSizes { services: 100, endpoints: 10_000, ..TableSizes::DEFAULT };
        state.resize(larger);
        let mut image = MemoryTables::new(larger);
        for store in state.as_stores() {
            prop_assert!(image.store(&store));
        }
        prop_assert_eq!(tables::check(&lowered(&mesh), &image), Ok(()));
    }

    /// What comes later finds its place in them too, or is refused.
    #[test]
    fn a_smaller_generation_holds_the_same_state(mesh in mesh(), then in mesh(), spare in 0u32..60) {
        let mut state = State::empty(SIZES);
        tables::plan(&mut state, everything(&mesh)).unwrap();
        let in_use = state.sizes_in_use();
        let smaller = TableSizes { services: in_use.services + spare, endpoints: in_use.endpoints + spare, ..in_use };
        state.resize(smaller);
        let mut image = MemoryTables::new(smaller);
        let later = tables::plan(&mut state.clone(), everything(&then)).unwrap_or_default();
        for store in state.as_stores().iter().chain(&later) {
            prop_assert!(image.store(store), "{store:?}");
        }
    }
}
