//! What the kernel, the eBPF object and the Rust types say of the same maps.

use std::fs;

use aya::EbpfLoader;
use evermesh_chaos_tests::binaries;
use evermesh_loader::{Config, DataPlane, Object, StartError};
use evermesh_pins::{
    Finding, Inventory, Table,
    layout::{Difference, Kernel},
};

use crate::bench::Bench;

#[test]
fn the_kernel_the_object_and_the_rust_types_describe_every_map_alike() {
    let bench = Bench::new();
    drop(bench.start(None));
    let (inventory, object) = (Inventory::read(&bench.pins()).unwrap(), Object::default().layouts().unwrap());
    let generation = &inventory.generations[&1];
    let mut kernel = Kernel::default();
    for table in Table::ALL {
        let pinned = match generation.tables.get(&table) {
            Some(pin) => kernel.describe_table(generation, table, pin),
            None => kernel.describe_frozen(&inventory.frozen[&table].info),
        };
        let (pinned, types) = (pinned.unwrap(), table.description());
        for other in [&pinned, &object[&table]] {
            assert_eq!((&other.key, &other.value), (&types.key, &types.value), "{table}");
            assert!(other.is_like(&types), "{table}: {other:?}");
            assert_eq!(other.hash(), types.hash(), "{table}");
        }
        assert_eq!(pinned.revision, table.layout().revision, "{table}");
    }
}

/// A release whose `origins` has the same bytes and fields, and means something else by them.
#[test]
fn a_revision_that_was_raised_alone_is_read_from_the_object_and_from_the_pin() {
    let bench = Bench::new();
    let (pins, table) = (bench.pins(), Table::Origins);
    let revised = Object::read(&binaries::variant("revised").unwrap()).unwrap();
    let theirs = &revised.layouts().unwrap()[&table];
    assert!(theirs.looks_like(&table.description()) && theirs.revision == 2, "{theirs:?}");
    assert!(revised.fits().is_err());
    let refused = DataPlane::start(Config { object: revised.clone(), ..bench.config() }, None);
    assert!(refused.is_err(), "{refused:?}");

    fs::create_dir_all(pins.frozen()).unwrap();
    let mut made = EbpfLoader::new().load(revised.bytes()).unwrap();
    let pin = pins.frozen_map(table);
    if pin.exists() {
        fs::remove_file(&pin).unwrap();
    }
    made.map_mut(table.symbol()).unwrap().pin(&pin).unwrap();
    let info = Inventory::read(&pins).unwrap().frozen.remove(&table).unwrap().info;
    let found = Kernel::default().describe_frozen(&info).unwrap();
    assert_eq!(found.hash(), theirs.hash());
    let difference = Difference::between(&table.description(), &found, &table.declared());
    assert_eq!(difference.first().unwrap(), "another meaning, revision 1 becomes 2");

    let refused = DataPlane::start(bench.config(), None);
    let Err(StartError::Findings(findings)) = &refused else { panic!("{refused:?}") };
    assert!(matches!(&findings[..], [Finding::Unknown { path, .. }] if *path == pin), "{findings:?}");
    assert!(findings[0].to_string().ends_with("another meaning, revision 2 becomes 1"), "{findings:?}");
}
