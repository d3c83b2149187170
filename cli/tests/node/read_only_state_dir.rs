use nix::mount::{MsFlags, mount};

use crate::sandbox::Sandbox;

#[test]
fn a_state_directory_that_cannot_be_written_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let standing = sandbox.standing();
    let state = sandbox.path("state");
    let bind =
        |flags| mount(Some(&state), &state, None::<&str>, MsFlags::MS_BIND | flags, None::<&str>).unwrap();
    bind(MsFlags::empty());
    bind(MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY);
    insta::assert_snapshot!("run", sandbox.run_in_vain(&[]));
    insta::assert_snapshot!("agent", sandbox.agent_in_vain("state"));
    insta::assert_snapshot!("uninstall", sandbox.told(&sandbox.call(&["uninstall"])));
    assert_eq!(sandbox.standing(), standing);
}
