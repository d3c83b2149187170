//! A program that is held up after it has looked a key up finds the service that it led to as it is later: it reaches what there was, or is.

use std::collections::BTreeMap;

use evermesh_abi::{Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_loader::{
    TableSizes,
    tables::{self, Meaning, MemoryTables, State, Store, TableRead},
};
use evermesh_model::{Algorithm, Health, Snapshot};
use evermesh_pins::TableEntries;
use proptest::prelude::*;

use crate::{
    SIZES, difference, everything, lowered,
    meshes::{Shape, mesh, snapshot},
    store_all,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever the history.
    #[test]
    fn whoever_is_held_up_reaches_what_there_was_or_is(history in prop::collection::vec((mesh(), any::<bool>()), 1..8)) {
        prop_assert_eq!(met_when_held_up(&history, |_| ()), None);
    }
}

/// What a program met that was neither there nor came, if it was held up after it had looked a key up, in a history of meshes after some of
/// which what was freed is used again.
fn met_when_held_up(history: &[(Snapshot, bool)], arrange: impl Fn(&mut Vec<Store>)) -> Option<String> {
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    let (mut states, mut held_up) = (vec![Meaning::default()], Vec::<(usize, Keys)>::new());
    let mut before = None;
    for (mesh, reclaim) in history {
        let change = before.map_or_else(|| everything(mesh), |before| difference(&state, before, mesh));
        let mut stores = tables::plan(&mut state, change).unwrap();
        arrange(&mut stores);
        before = Some(mesh);
        let since = states.len() - 1;
        states.push(Meaning::of_model(&lowered(mesh)));
        for store in &stores {
            if *store == Store::Barrier {
                held_up.clear();
            }
            let keys = image.frontends();
            if held_up.last().is_none_or(|(_, last)| *last != keys) {
                held_up.push((since, keys));
            }
            assert!(image.store(store));
            let met = |(since, keys): &(usize, Keys)| {
                Meaning::of_tables(&HeldUp { keys, now: &image }).stray(&states[*since..])
            };
            if let Some(stray) = held_up.iter().find_map(met) {
                return Some(format!("after {store:?}: {stray}"));
            }
        }
        if *reclaim {
            let retired = state.take_retired();
            state.reuse(retired);
            held_up.clear();
        }
    }
    None
}

type Keys = Vec<(FrontendKey, FrontendValue)>;

/// Tables as a program sees them that looked the key up earlier.
struct HeldUp<'a> {
    keys: &'a Keys,
    now: &'a MemoryTables,
}

impl TableRead for HeldUp<'_> {
    fn entries(&self) -> TableEntries {
        self.now.entries()
    }

    fn service(&self, id: u32) -> Option<ServiceWord> {
        self.now.service(id)
    }

    fn service_meta(&self, id: u32) -> Option<ServiceMeta> {
        self.now.service_meta(id)
    }

    fn slot(&self, slot: u32) -> Option<u64> {
        self.now.slot(slot)
    }

    fn endpoint(&self, id: u32) -> Option<Endpoint> {
        self.now.endpoint(id)
    }

    fn frontends(&self) -> Keys {
        self.keys.clone()
    }
}

/// Two services of which each loses a virtual IP to the other, and all its endpoints. They may keep another one.
fn exchange_of_virtual_ips(keep: bool) -> [(Snapshot, bool); 2] {
    let shape = |ipv4: [u8; 2], members: std::ops::Range<u8>| Shape {
        ipv4: if keep { ipv4.into() } else { ipv4[1..].into() },
        ipv6: false,
        ports: vec![80],
        members: members.map(|n| (n, Health::Healthy, 8000)).collect(),
        algorithm: Algorithm::Random,
        unsaid: false,
    };
    let mesh = |one, other| (snapshot(&BTreeMap::from([(0, one), (1, other)])), false);
    [mesh(shape([0, 1], 0..4), shape([2, 3], 4..8)), mesh(shape([0, 3], 8..12), shape([2, 1], 12..16))]
}

#[test]
fn services_may_exchange_virtual_ips_while_both_change() {
    let [(before, _), (after, _)] = exchange_of_virtual_ips(true);
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    for mesh in [&before, &after, &before] {
        let stores = tables::plan(&mut state, everything(mesh)).unwrap();
        store_all(&mut image, &stores, mesh).unwrap();
        assert_eq!(tables::check(&lowered(mesh), &image), Ok(()));
    }
    assert_eq!(met_when_held_up(&exchange_of_virtual_ips(true), |_| ()), None);
}

/// There is no id for a service to which they could step aside.
#[test]
fn virtual_ips_are_exchanged_in_full_tables_too() {
    let full = TableSizes { services: 2, ..SIZES };
    let (mut state, mut image) = (State::empty(full), MemoryTables::new(full));
    for (mesh, _) in &exchange_of_virtual_ips(false) {
        let stores = tables::plan(&mut state, everything(mesh)).unwrap();
        assert!(stores.iter().all(|store| image.store(store)));
        assert_eq!(tables::check(&lowered(mesh), &image), Ok(()));
    }
}

fn hasty(stores: &mut Vec<Store>) {
    stores.retain(|store| *store != Store::Barrier);
}

/// The oracle of `whoever_is_held_up_reaches_what_there_was_or_is` sees a plan that does not wait.
#[test]
fn keys_that_are_not_waited_for_are_noticed() {
    assert!(met_when_held_up(&exchange_of_virtual_ips(true), hasty).is_some());
}

/// A virtual IP goes first, and later the service changes that it has left: only then somebody is waited for, unless what was freed is used again before.
#[test]
fn a_service_that_a_key_has_left_changes_after_a_barrier() {
    let mesh = |ipv4: &[u8], members: std::ops::Range<u8>| {
        let members = members.map(|n| (n, Health::Healthy, 8000)).collect();
        let algorithm = Algorithm::Random;
        let shape =
            Shape { ipv4: ipv4.into(), ipv6: false, ports: vec![80], members, algorithm, unsaid: false };
        snapshot(&BTreeMap::from([(0, shape)]))
    };
    let history = [mesh(&[0, 1], 0..4), mesh(&[0], 0..4), mesh(&[0], 4..8)].map(|mesh| (mesh, false));
    assert_eq!(met_when_held_up(&history, |_| ()), None);
    assert!(met_when_held_up(&history, hasty).is_some());
    for (reclaim, barriers) in [(false, [0, 0, 1]), (true, [0, 0, 0])] {
        let mut state = State::empty(SIZES);
        let waits = history.each_ref().map(|(mesh, _)| {
            let stores = tables::plan(&mut state, everything(mesh)).unwrap();
            if reclaim {
                let retired = state.take_retired();
                assert!(!retired.is_empty());
                state.reuse(retired);
            }
            stores.iter().filter(|store| **store == Store::Barrier).count()
        });
        assert_eq!(waits, barriers);
    }
}

/// And one that empties a service as soon as no key leads to it.
#[test]
fn a_service_that_is_emptied_at_once_is_noticed() {
    let emptied = |store: Store| match store {
        Store::ServiceMeta { id, meta: ServiceMeta { digest: 0, .. } } => {
            vec![Store::Service { id, word: ServiceWord::EMPTY }, store]
        }
        other => vec![other],
    };
    let at_once = |stores: &mut Vec<Store>| *stores = stores.drain(..).flat_map(emptied).collect();
    let [.., mesh] = exchange_of_virtual_ips(true);
    let history = [mesh, (snapshot(&BTreeMap::new()), false)];
    assert_eq!(met_when_held_up(&history, |_| ()), None);
    assert!(met_when_held_up(&history, at_once).is_some());
}
