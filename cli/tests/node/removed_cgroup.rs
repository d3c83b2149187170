use std::fs;

use evermesh_pins::Inventory;

use crate::sandbox::{Sandbox, until};

#[test]
fn links_of_a_removed_cgroup_are_named_and_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    fs::remove_dir(sandbox.cgroup()).unwrap();
    fs::create_dir(sandbox.cgroup()).unwrap();
    // The kernel detaches a moment after the removal.
    let detached = || {
        let inventory = Inventory::read(&sandbox.pins()).unwrap();
        inventory.links.values().all(|link| link.info.cgroup_id == 0).then_some(())
    };
    until(detached).unwrap();
    let standing = sandbox.standing();

    insta::assert_snapshot!("run", sandbox.run_in_vain(&[]));
    insta::assert_snapshot!("status", sandbox.headline());
    assert_eq!(sandbox.standing(), standing);
}
