//! What stands is taken over, and what is right is not written.

use std::fs;

use evermesh_loader::{DataPlane, How, Looked, Standing, StartError, TableSizes};
use evermesh_pins::{Hook, Inventory, Table, TablesView};

use crate::bench::{self, Bench, SIZES};

fn link_ids(bench: &Bench) -> Vec<u32> {
    Inventory::read(&bench.pins()).unwrap().links.values().map(|link| link.info.id).collect()
}

/// Mappings of eBPF maps in this process: readable ones, writable ones.
fn mappings() -> (usize, usize) {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of_bpf = |line: &&str| line.ends_with("anon_inode:bpf-map");
    let writable = |line: &&str| line.split(' ').nth(1).unwrap().starts_with("rw");
    let lines = || maps.lines().filter(of_bpf);
    (lines().filter(|line| !writable(line)).count(), lines().filter(writable).count())
}

/// A service that has slots.
fn a_service(view: &TablesView) -> u32 {
    let is_named = |id: u32| view.service_meta(id).is_some_and(|meta| meta.digest != 0);
    let has_slots = |id: u32| view.service(id).is_some_and(|word| word.count() > 0);
    (1..view.entries().services).find(|id| is_named(*id) && has_slots(*id)).unwrap()
}

#[test]
fn a_fresh_node_gets_every_hook_and_a_generation() {
    let bench = Bench::new();
    let (plane, started) = bench.start(Some(&bench.mesh(2)));
    assert_eq!((started.generation, &started.how), (1, &How::Fresh));
    let inventory = Inventory::read(&bench.pins()).unwrap();
    assert_eq!(inventory.live, Some(1));
    assert_eq!(inventory.links.len(), Hook::ALL.len());
    assert_eq!(inventory.frozen.len(), Table::FROZEN.len());
    drop(plane);
}

#[test]
fn what_is_made_before_it_is_known_what_to_lay_hooks_nothing_and_is_removed_where_that_was_all() {
    let bench = Bench::new();
    drop(Standing::read(bench.config()).unwrap().make_ahead().unwrap());
    let inventory = Inventory::read(&bench.pins()).unwrap();
    assert_eq!((inventory.live, inventory.links.len(), inventory.generations.len()), (None, 0, 1));
    let standing = Standing::read(bench.config()).unwrap().make_ahead().unwrap();
    let (plane, started) = standing.lead_to(Some(&bench.mesh(2))).unwrap();
    assert_eq!(started.how, How::Fresh);
    let inventory = Inventory::read(&bench.pins()).unwrap();
    assert_eq!((inventory.links.len(), inventory.generations.len()), (Hook::ALL.len(), 1));
    assert_eq!(inventory.live, Some(started.generation));
    drop(plane);
}

#[test]
fn unchanged_state_is_adopted_without_a_writable_mapping() {
    let bench = Bench::new();
    let mesh = bench.mesh(2);
    drop(bench.start(Some(&mesh)));
    let links = link_ids(&bench);
    assert_eq!(mappings(), (0, 0));
    let (plane, started) = bench.start(Some(&mesh));
    assert_eq!((&started.how, started.applied.writes), (&How::Adopted, 0));
    assert_eq!(mappings(), (4, 0));
    assert_eq!(link_ids(&bench), links);
    drop(plane);
}

#[test]
fn a_difference_is_written_and_only_that() {
    let bench = Bench::new();
    drop(bench.start(Some(&bench.mesh(2))));
    let (plane, started) = bench.start(Some(&bench.mesh(1)));
    assert_eq!(started.how, How::Adopted);
    assert!((1..20).contains(&started.applied.writes), "{started:?}");
    assert_eq!(mappings(), (4, 4));
    drop(plane);
}

#[test]
fn drift_is_found_and_mended() {
    use evermesh_abi::ServiceWord;
    use evermesh_loader::tables::{Store, TableWriter};
    let bench = Bench::new();
    let (mut plane, _) = bench.start(Some(&bench.mesh(2)));
    assert_eq!(plane.audit().unwrap().writes, 0);
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let mut vandal = TableWriter::new(|table| inventory.generations[&1].tables.get(&table)).unwrap();
    vandal.execute(&[Store::Service { id: 1, word: ServiceWord::new(0, 900, 7) }]).unwrap();
    assert!(plane.audit().unwrap().writes > 0);
    assert_eq!(plane.audit().unwrap().writes, 0);
}

/// Whether a look finds nothing that differs; `between` happens when it has begun.
fn looks_right(plane: &mut DataPlane, between: impl FnOnce(&mut DataPlane)) -> bool {
    let mut look = plane.look().unwrap().read_keys().unwrap();
    between(plane);
    loop {
        match plane.look_on(look) {
            Looked::On(rest) => look = rest,
            Looked::Same => return true,
            Looked::Differs => return false,
        }
    }
}

#[test]
fn a_look_finds_drift_in_any_table_and_takes_no_change_for_it() {
    use evermesh_abi::{Address, FrontendKey, ServiceMeta, ServiceWord};
    use evermesh_loader::tables::{Store, TableWriter};
    let bench = Bench::new();
    let (mut plane, _) = bench.start(Some(&bench.mesh(2)));
    assert!(looks_right(&mut plane, |_| ()));
    for mesh in [evermesh_model::Snapshot::default(), bench.mesh(2), bench.mesh(1)] {
        assert!(looks_right(&mut plane, |plane| assert!(plane.apply(&mesh).is_ok())));
    }
    let inventory = Inventory::read(&bench.pins()).unwrap();
    let pins = &inventory.generations[&1];
    let drifts: [fn(u32, u32, u32) -> Store; 5] = [
        |id, _, _| Store::Service { id, word: ServiceWord::new(0, 900, 7) },
        |id, _, _| Store::ServiceMeta { id, meta: ServiceMeta::default() },
        |_, slot, endpoint| Store::Slot { slot, endpoint: endpoint + 1 },
        |_, _, id| Store::RetireEndpoint { id },
        |_, _, _| {
            let known = Address::from(bench::VIP4.parse::<std::net::IpAddr>().unwrap());
            Store::RemoveFrontend { key: FrontendKey::known_address(known) }
        },
    ];
    for drift in drifts {
        plane.apply(&bench.mesh(2)).unwrap();
        let view = TablesView::open(&bench.pins(), 1, pins).unwrap();
        let id = a_service(&view);
        let slot = view.service(id).unwrap().offset();
        let drift = drift(id, slot, u32::try_from(view.slot(slot).unwrap()).unwrap());
        let mut vandal = TableWriter::new(|table| pins.tables.get(&table)).unwrap();
        vandal.execute(&[drift]).unwrap();
        assert!(!looks_right(&mut plane, |_| ()), "{drift:?}");
        plane.audit().unwrap();
        assert!(looks_right(&mut plane, |_| ()));
    }
}

#[test]
fn what_was_laid_is_known_again_until_a_word_of_any_table_is_another_one() {
    use evermesh_abi::{Address, Endpoint, FrontendKey, FrontendValue, ServiceMeta, ServiceWord};
    use evermesh_loader::tables::{Store, TableWriter};
    let bench = Bench::new();
    let mesh = bench.mesh(2);
    let known = Address::from(bench::VIP4.parse::<std::net::IpAddr>().unwrap());
    let key = FrontendKey::known_address(known);
    for turn in 0..7 {
        let (plane, _) = bench.start(Some(&mesh));
        assert_eq!(plane.laid(&bench.mesh(1)), None, "another mesh is laid");
        let laid = plane.laid(&mesh).unwrap();
        drop(plane);
        let standing = Standing::read(bench.config()).unwrap();
        assert!(standing.holds(&laid));
        drop(standing);

        let inventory = Inventory::read(&bench.pins()).unwrap();
        let mut vandal = TableWriter::new(|table| inventory.generations[&1].tables.get(&table)).unwrap();
        // What is mended may stand elsewhere.
        let view = TablesView::open(&bench.pins(), 1, &inventory.generations[&1]).unwrap();
        let id = a_service(&view);
        let slot = view.service(id).unwrap().offset();
        let endpoint = u32::try_from(view.slot(slot).unwrap()).unwrap();
        let record = Endpoint { port: 7, ..view.endpoint(endpoint).unwrap() };
        let meta = ServiceMeta { port: 7, ..view.service_meta(id).unwrap() };
        let drifts = [
            Store::Service { id, word: ServiceWord::new(0, 900, 7) },
            Store::ServiceMeta { id, meta },
            Store::Slot { slot, endpoint: 0 },
            Store::Endpoint { id: endpoint, record },
            Store::RetireEndpoint { id: endpoint },
            Store::SetFrontend { key, value: FrontendValue::new(1, &key) },
            Store::RemoveFrontend { key },
        ];
        let drift = drifts[turn];
        vandal.execute(&[drift]).unwrap();
        let standing = Standing::read(bench.config()).unwrap();
        assert!(!standing.holds(&laid), "{drift:?}");
        let (mut plane, started) = standing.lead_to(Some(&mesh)).unwrap();
        assert!(started.applied.writes > 0, "{drift:?}");
        plane.reclaim().unwrap();
    }
}

#[test]
fn tables_that_are_to_be_larger_are_not_left_as_they_stand() {
    let bench = Bench::new();
    let mesh = bench.mesh(2);
    let laid = bench.start(Some(&mesh)).0.laid(&mesh).unwrap();
    let larger = evermesh_loader::Config { sizes: TableSizes { endpoints: 4096, ..SIZES }, ..bench.config() };
    assert!(!Standing::read(larger).unwrap().holds(&laid));
    assert!(Standing::read(bench.config()).unwrap().holds(&laid));
}

#[test]
fn larger_tables_come_with_a_new_generation() {
    let bench = Bench::new();
    let mesh = bench.mesh(2);
    drop(bench.start(Some(&mesh)));
    let links = link_ids(&bench);
    let config = evermesh_loader::Config { sizes: TableSizes { endpoints: 4096, ..SIZES }, ..bench.config() };
    let (mut plane, started) = DataPlane::start(config, Some(&mesh)).unwrap();
    assert!(
        matches!(&started.how, How::Changed { from: 1, reason } if reason.contains("resized from")),
        "{started:?}"
    );
    plane.commit().unwrap();
    let inventory = Inventory::read(&bench.pins()).unwrap();
    assert_eq!((inventory.live, inventory.generations.len()), (Some(2), 1));
    assert_eq!(link_ids(&bench), links);
    drop(plane);
}

#[test]
fn a_second_writer_is_refused() {
    let bench = Bench::new();
    let (_plane, _) = bench.start(None);
    assert!(matches!(DataPlane::start(bench.config(), None), Err(StartError::Lock(_))));
}
