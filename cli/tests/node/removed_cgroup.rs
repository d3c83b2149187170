use std::fs;

use evermesh_pins::Inventory;

use crate::sandbox::{Sandbox, until};

#[test]
fn links_of_a_removed_cgroup_are_named_and_a_start_makes_others() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    fs::remove_dir(sandbox.cgroup()).unwrap();
    fs::create_dir(sandbox.cgroup()).unwrap();
    let hooking = || Inventory::read(&sandbox.pins()).unwrap().links.values().filter(|it| it.hooks()).count();
    // The kernel detaches a moment after the removal.
    until(|| (hooking() == 0).then_some(())).unwrap();
    insta::assert_snapshot!("status", sandbox.headline());

    let _running = sandbox.start();
    assert_eq!(hooking(), 9);
    insta::assert_snapshot!(sandbox.headline(), @r"
    exit code 0
    Evermesh is healthy
    ");
}
