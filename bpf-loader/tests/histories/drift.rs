//! Whatever stands in the tables and was not planned is found.

use evermesh_abi::{Address, Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_loader::{
    TableSizes,
    tables::{self, At, MemoryTables, State, Store, TableRead},
};
use proptest::prelude::*;

use crate::{
    SIZES, everything,
    meshes::{endpoints, mesh},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever element of whichever table is another one, so are the contents, and a look finds it.
    #[test]
    fn no_drift_leaves_the_contents_as_they_were_or_is_overlooked(mesh in mesh(), which in any::<prop::sample::Index>()) {
        let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
        let stores = tables::plan(&mut state, everything(&mesh)).unwrap();
        prop_assert!(stores.iter().all(|store| image.store(store)));
        prop_assert_eq!(tables::adopt(&image).contents(), state.contents());
        let drifts: Vec<_> = state.as_stores().iter().flat_map(drifts).collect();
        if !drifts.is_empty() {
            let drift = which.get(&drifts);
            prop_assert!(image.store(drift));
            prop_assert!(tables::adopt(&image).contents() != state.contents(), "{drift:?}");
            prop_assert!(!says_what_was_planned(&image, &state), "{drift:?}");
        }
    }
}

/// As a look at the tables finds it, part by part.
pub fn says_what_was_planned(tables: &MemoryTables, state: &State) -> bool {
    let mut at = At::BEGIN;
    while at != At::End {
        let Some(next) = state.compare(tables, at) else { return false };
        at = next;
    }
    let keys = tables.frontends();
    keys.len() == state.key_count() && keys.iter().all(|(key, value)| state.leads(key, *value))
}

#[test]
fn a_look_finds_what_belongs_to_nothing_up_to_the_end_of_large_tables() {
    let large = TableSizes { services: 20_000, endpoints: 20_000, ..TableSizes::DEFAULT };
    let (mut state, mesh) = (State::empty(large), endpoints(0..5));
    let stores = tables::plan(&mut state, everything(&mesh)).unwrap();
    let mut image = MemoryTables::new(large);
    assert!(stores.iter().all(|store| image.store(store)));
    assert!(says_what_was_planned(&image, &state));
    let stray = |id| Store::Endpoint { id, record: Endpoint { service: 1, ..Endpoint::default() } };
    let named = |id| Store::ServiceMeta { id, meta: ServiceMeta { digest: 7, ..ServiceMeta::default() } };
    let word = |id| Store::Service { id, word: ServiceWord(1) };
    let says_still = |store: &Store| {
        let mut drifted = image.clone();
        assert!(drifted.store(store));
        says_what_was_planned(&drifted, &state)
    };
    for store in [stray(9), stray(20_000), named(9), named(20_000)] {
        assert!(!says_still(&store), "{store:?}");
    }
    // Of an id without a name it is what the last service left behind.
    assert!(says_still(&word(9)));
}

/// What else could stand in the place of an element.
fn drifts(store: &Store) -> Vec<Store> {
    match *store {
        Store::ServiceMeta { id, meta } => [
            ServiceMeta { flags: meta.flags ^ 1, ..meta },
            ServiceMeta { port: meta.port ^ 1, ..meta },
            ServiceMeta { family: meta.family ^ 2, ..meta },
            ServiceMeta { digest: meta.digest ^ 1, ..meta },
            ServiceMeta::default(),
        ]
        .map(|meta| Store::ServiceMeta { id, meta })
        .into(),
        Store::Endpoint { id, record } => [
            Endpoint { port: record.port ^ 1, ..record },
            Endpoint { flags: record.flags ^ 1, ..record },
            Endpoint { service: record.service ^ 1, ..record },
            Endpoint { workload: record.workload ^ 1, ..record },
            Endpoint { address: Address([record.address.0[0] ^ 1, 0, 0, 0]), ..record },
        ]
        .map(|record| Store::Endpoint { id, record })
        .into_iter()
        .chain([Store::RetireEndpoint { id }])
        .collect(),
        Store::Slot { slot, endpoint } => {
            [0, endpoint + 1].map(|endpoint| Store::Slot { slot, endpoint }).into()
        }
        Store::Service { id, word } => {
            [ServiceWord(word.0 ^ 1), ServiceWord(word.0 ^ 1 << 40), ServiceWord(word.0 ^ 1 << 62)]
                .map(|word| Store::Service { id, word })
                .into()
        }
        Store::SetFrontend { key, value } => vec![
            Store::RemoveFrontend { key },
            Store::SetFrontend { key, value: FrontendValue(value.0 ^ 1) },
            Store::SetFrontend { key, value: FrontendValue(value.0 ^ 1 << 32) },
            Store::SetFrontend { key: FrontendKey { port: key.port ^ 0x100, ..key }, value },
        ],
        Store::RetireEndpoint { .. } | Store::RemoveFrontend { .. } | Store::Barrier => Vec::new(),
    }
}
