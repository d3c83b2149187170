use std::os::unix::process::CommandExt as _;

use crate::sandbox::Sandbox;

const NOBODY: u32 = 65_534;

#[test]
fn every_command_asks_for_root() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let standing = sandbox.standing();
    for arguments in [
        ["run", "--config", "mesh.yaml"].as_slice(),
        &["status"],
        &["pod", "list"],
        &["dump", "services"],
        &["dump", "flows"],
        &["dump", "xds"],
        &["config", "diff"],
        &["uninstall"],
    ] {
        let output = sandbox.evermesh(arguments).current_dir("/").uid(NOBODY).gid(NOBODY).output().unwrap();
        insta::assert_snapshot!("told", sandbox.told(&output));
    }
    assert_eq!(sandbox.standing(), standing);
}
