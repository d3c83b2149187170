//! Random histories of meshes, planned and stored one store at a time on an image of the tables.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod held_up;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use evermesh_abi::{Address, Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
use evermesh_loader::{
    Lowered, TableSizes, lower_all,
    tables::{self, At, Change, Meaning, MemoryTables, State, Store, TableRead},
};
use evermesh_model::{
    Algorithm, Balancing, Delta, Health, Passes, Place, Port, Protocol, Service, ServiceKey, Snapshot,
    VirtualIp, Workload, WorkloadUid,
};
use proptest::prelude::*;

static NOWHERE: LazyLock<Place> = LazyLock::new(Place::default);

const SIZES: TableSizes = TableSizes { services: 64, endpoints: 1024, ..TableSizes::DEFAULT };

/// One service of a history: which virtual IPs, which ports, who stands behind it.
#[derive(Clone, Debug)]
struct Shape {
    /// Whatever another service has not taken before.
    ipv4: Vec<u8>,
    ipv6: bool,
    ports: Vec<u16>,
    members: Vec<(u8, Health, u16)>,
    algorithm: Algorithm,
    /// Where two of its ports lead is not said.
    unsaid: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    let ports = prop::sample::subsequence(vec![53, 80, 443], 0..=3);
    let health =
        prop_oneof![8 => Just(Health::Healthy), 1 => Just(Health::Unhealthy), 1 => Just(Health::Draining)];
    let members = prop::collection::vec((0u8..24, health, 8000u16..8003), 0..12);
    let algorithm = prop_oneof![4 => Just(Algorithm::Random), 1 => Just(Algorithm::RoundRobin)];
    let ipv4 = prop::sample::subsequence((0..6).collect::<Vec<u8>>(), 0..=2);
    (ipv4, any::<bool>(), ports, members, algorithm, any::<bool>()).prop_map(
        |(ipv4, ipv6, ports, members, algorithm, unsaid)| Shape {
            ipv4,
            ipv6,
            ports,
            members,
            algorithm,
            unsaid,
        },
    )
}

fn mesh() -> impl Strategy<Value = Snapshot> {
    prop::collection::btree_map(0u8..5, shape(), 0..5).prop_map(|shapes| snapshot(&shapes))
}

fn snapshot(shapes: &BTreeMap<u8, Shape>) -> Snapshot {
    let mut workloads = BTreeMap::new();
    for (&n, shape) in shapes {
        for &(member, health, port) in &shape.members {
            let workload = workloads.entry(member).or_insert_with(|| workload(member));
            workload.health = health;
            // Some weigh more, and not always the same.
            workload.capacity = if member < 20 { 1 } else { u32::from(port - 7998) };
            let mut targets = BTreeMap::from([(80, port)]);
            targets.extend((port == 8002).then_some((443, port)));
            let before = workload.services.iter().map(|(key, ports)| (key.clone(), ports.clone()));
            workload.services = before.chain([(key(n), targets)]).collect();
        }
    }
    let mut taken = BTreeSet::new();
    let services = shapes.iter().map(|(&n, shape)| {
        let ipv4 = shape.ipv4.iter().copied().filter(|one| taken.insert(*one)).collect();
        service(n, &Shape { ipv4, ..shape.clone() })
    });
    let services: Vec<_> = services.collect();
    Snapshot::new(services, workloads.into_values(), []).unwrap()
}

fn key(n: u8) -> ServiceKey {
    ServiceKey { namespace: "ns".into(), hostname: format!("s{n}.example").into() }
}

fn service(n: u8, shape: &Shape) -> Service {
    let vip =
        |address: String| VirtualIp { network: String::new().into(), address: address.parse().unwrap() };
    let mut vips = Vec::new();
    vips.extend(shape.ipv4.iter().map(|n| vip(format!("10.96.0.{}", n + 1))));
    vips.extend(shape.ipv6.then(|| vip(format!("fd00:96::{}", n + 1))));
    let protocols = vec![Protocol::Tcp, Protocol::Udp];
    let port = |&number: &u16| {
        let (target_port, passes) = match (number, shape.unsaid) {
            (443, true) => (0, Passes::Untargeted),
            (53, true) => (0, Passes::Always),
            _ => (number + 1, Passes::Never),
        };
        (number, Port { passes, ..Port::new(target_port, protocols.clone()) })
    };
    let ports = shape.ports.iter().map(port).collect();
    let balancing = Balancing { algorithm: shape.algorithm, ..Balancing::default() };
    Service { name: format!("s{n}").into(), key: key(n), vips, ports, balancing, withheld: false }
}

fn workload(n: u8) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("w{n}")),
        name: format!("w{n}").into(),
        namespace: "ns".into(),
        addresses: vec![format!("10.244.0.{n}").parse().unwrap(), format!("fd00:244::{n}").parse().unwrap()]
            .into(),
        ..Workload::default()
    }
}

fn lowered(snapshot: &Snapshot) -> BTreeMap<ServiceKey, Lowered> {
    lower_all(snapshot, &Place::default()).collect()
}

fn everything(snapshot: &Snapshot) -> Change<'_> {
    Change::everything(snapshot, &NOWHERE)
}

fn difference(state: &State, before: &Snapshot, after: &Snapshot) -> Change<'static> {
    Change::of(state, Delta::between(before, after), after, &Place::default())
}

/// Performs the stores one by one; after each, the tables must mean the old or the new state.
fn store_all(tables: &mut MemoryTables, stores: &[Store], after: &Snapshot) -> Result<(), String> {
    let states = [Meaning::of_tables(tables), Meaning::of_model(&lowered(after))];
    for store in stores {
        if !tables.store(store) {
            return Err(format!("{store:?} is beyond the table"));
        }
        if let Some(stray) = Meaning::of_tables(tables).stray(&states) {
            return Err(format!("after {store:?}: {stray}"));
        }
    }
    Ok(())
}

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

/// As a look at the tables finds it, part by part.
fn says_what_was_planned(tables: &MemoryTables, state: &State) -> bool {
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

/// One service with so many endpoints.
fn endpoints(members: std::ops::Range<u8>) -> Snapshot {
    balanced(Algorithm::Random, members)
}

fn balanced(algorithm: Algorithm, members: std::ops::Range<u8>) -> Snapshot {
    let members = members.map(|n| (n, Health::Healthy, 8000)).collect();
    snapshot(&BTreeMap::from([(
        0,
        Shape { ipv4: vec![0], ipv6: false, ports: vec![80], members, algorithm, unsaid: false },
    )]))
}

fn stores_between(before: &Snapshot, after: &Snapshot) -> Vec<Store> {
    let mut state = State::empty(SIZES);
    tables::plan(&mut state, everything(before)).unwrap();
    tables::plan(&mut state, everything(after)).unwrap()
}

#[test]
fn one_endpoint_more_is_a_record_a_slot_and_a_word() {
    let stores = stores_between(&endpoints(0..5), &endpoints(0..6));
    assert!(
        matches!(stores[..], [Store::Endpoint { .. }, Store::Slot { .. }, Store::Service { .. }]),
        "{stores:?}"
    );
}

#[test]
fn one_endpoint_less_leaves_no_hole() {
    let stores = stores_between(&endpoints(0..5), &endpoints(1..5));
    assert!(
        matches!(stores[..], [Store::Slot { .. }, Store::Service { .. }, Store::RetireEndpoint { .. }]),
        "{stores:?}"
    );
}

#[test]
fn one_endpoint_for_another_is_one_slot() {
    let stores = stores_between(&endpoints(0..5), &endpoints(1..6));
    let expected =
        matches!(stores[..], [Store::Endpoint { .. }, Store::Slot { .. }, Store::RetireEndpoint { .. }]);
    assert!(expected, "{stores:?}");
}

#[test]
fn another_algorithm_over_the_same_slots_is_one_word() {
    let stores = stores_between(&endpoints(0..5), &balanced(Algorithm::RoundRobin, 0..5));
    assert!(matches!(stores[..], [Store::Service { .. }]), "{stores:?}");
}

/// Everyone weighs three, so each has one slot; one who weighs one is not as good as they are.
#[test]
fn one_endpoint_more_that_weighs_less_is_weighed() {
    let heavier = |mesh: &Snapshot| {
        let workloads = mesh.workloads().map(|it| Workload { capacity: 3, ..Workload::clone(it) });
        workloads.collect::<Vec<_>>()
    };
    let before = endpoints(0..3);
    let services = || before.services().map(|it| Service::clone(it)).collect::<Vec<_>>();
    let mut workloads = heavier(&before);
    let alike = Snapshot::new(services(), workloads.clone(), []).unwrap();
    workloads.extend(endpoints(3..4).workloads().map(|it| Workload::clone(it)));
    let lighter = Snapshot::new(services(), workloads, []).unwrap();
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    store_all(&mut image, &tables::plan(&mut state, everything(&alike)).unwrap(), &alike).unwrap();
    let change = difference(&state, &alike, &lighter);
    store_all(&mut image, &tables::plan(&mut state, change).unwrap(), &lighter).unwrap();
    assert_eq!(tables::check(&lowered(&lighter), &image), Ok(()));
}

#[test]
fn a_maglev_table_is_taken_over_at_once() {
    let sizes = TableSizes { services: 64, endpoints: 16_384, ..TableSizes::DEFAULT };
    let (mut state, mut image) = (State::empty(sizes), MemoryTables::new(sizes));
    let meshes = [
        endpoints(0..5),
        balanced(Algorithm::Maglev, 0..5),
        balanced(Algorithm::Maglev, 1..7),
        endpoints(2..4),
    ];
    for mesh in meshes {
        let stores = tables::plan(&mut state, everything(&mesh)).unwrap();
        store_all(&mut image, &stores, &mesh).unwrap();
        assert_eq!(tables::check(&lowered(&mesh), &image), Ok(()));
        assert_eq!(tables::plan(&mut tables::adopt(&image), everything(&mesh)).unwrap(), []);
    }
}

/// Whoever takes turns and weighs more than others was laid out anew with all of them.
#[test]
fn a_weight_among_those_that_take_turns_changes_a_few_slots() {
    let weigh = |weights: &dyn Fn(u32) -> u32| {
        let mesh = balanced(Algorithm::RoundRobin, 0..100);
        let workloads = (0..)
            .zip(mesh.workloads())
            .map(|(n, it)| Workload { capacity: weights(n), ..Workload::clone(it) });
        Snapshot::new(mesh.services().map(|it| Service::clone(it)), workloads, []).unwrap()
    };
    let sizes = TableSizes { services: 64, endpoints: 1024, ..TableSizes::DEFAULT };
    let (mut state, mut image) = (State::empty(sizes), MemoryTables::new(sizes));
    let mut before = weigh(&|n| 1 + n % 3);
    store_all(&mut image, &tables::plan(&mut state, everything(&before)).unwrap(), &before).unwrap();
    for weight in [4, 1, 2, 5] {
        let after = weigh(&|n| if n == 50 { weight } else { 1 + n % 3 });
        let change = difference(&state, &before, &after);
        let stores = tables::plan(&mut state, change).unwrap();
        assert!(stores.len() < 30, "{weight}: {}", stores.len());
        store_all(&mut image, &stores, &after).unwrap();
        assert_eq!(tables::check(&lowered(&after), &image), Ok(()));
        assert_eq!(tables::plan(&mut tables::adopt(&image), everything(&after)).unwrap(), []);
        before = after;
    }
}

#[test]
fn who_drains_loses_its_slot_and_keeps_its_record() {
    let before = endpoints(0..5);
    let mut workloads: Vec<Workload> = before.workloads().map(|it| Workload::clone(it)).collect();
    workloads[1].health = Health::Draining;
    let after = Snapshot::new(before.services().map(|it| Service::clone(it)), workloads, []).unwrap();
    let (mut state, mut image) = (State::empty(SIZES), MemoryTables::new(SIZES));
    for mesh in [&before, &after] {
        let stores = tables::plan(&mut state, everything(mesh)).unwrap();
        assert!(!stores.iter().any(|store| matches!(store, Store::RetireEndpoint { .. })), "{stores:?}");
        store_all(&mut image, &stores, mesh).unwrap();
    }
    assert_eq!(tables::check(&lowered(&after), &image), Ok(()));
    assert_eq!(tables::plan(&mut tables::adopt(&image), everything(&after)).unwrap(), []);
}

#[test]
fn a_full_table_is_named_with_what_to_do() {
    let sizes = TableSizes { services: 64, endpoints: 4, ..TableSizes::DEFAULT };
    let mut state = State::empty(sizes);
    let error = tables::plan(&mut state, everything(&endpoints(0..5))).unwrap_err();
    assert_eq!(error.to_string(), "the table `endpoints` is full: raise --max-endpoints");
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
