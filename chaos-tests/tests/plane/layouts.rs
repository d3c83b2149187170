//! What the kernel, the eBPF object and the Rust types say of the same maps.

use evermesh_loader::Object;
use evermesh_pins::{Inventory, Table, layout::Kernel};

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
            None => kernel.describe_frozen(table, &inventory.frozen[&table].info),
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
