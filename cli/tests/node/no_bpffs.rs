use crate::sandbox::Sandbox;

#[test]
fn a_directory_outside_of_bpffs_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let standing = sandbox.standing();
    let elsewhere = sandbox.path("elsewhere/evermesh");
    insta::assert_snapshot!(sandbox.run_in_vain(&["--bpffs", elsewhere.to_str().unwrap()]));
    assert!(!elsewhere.exists());
    assert_eq!(sandbox.standing(), standing);
}
