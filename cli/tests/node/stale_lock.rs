use std::fs;

use crate::sandbox::Sandbox;

#[test]
fn what_a_killed_supervisor_leaves_is_shown_and_does_not_hinder_the_next() {
    let sandbox = Sandbox::new();
    sandbox.start().kill();
    let standing = sandbox.standing();
    let lock = sandbox.path("run/supervisor.lock");
    assert!(lock.exists() && sandbox.path("run/supervisor.sock").exists());

    insta::assert_snapshot!(sandbox.headline());

    let running = sandbox.start();
    assert_eq!(fs::read_to_string(lock).unwrap().trim(), running.pid().to_string());
    assert_eq!(sandbox.standing(), standing);
    running.stop();
    assert_eq!(sandbox.standing(), standing);
}
