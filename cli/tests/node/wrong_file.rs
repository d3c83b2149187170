use serde_json::Value;

use crate::sandbox::{MESH, Sandbox, until};

fn wrong() -> String {
    MESH.replace("10.96.0.10", "10.96.0.1000")
}

fn status(sandbox: &Sandbox) -> Value {
    sandbox.json(&["status"])
}

#[test]
fn a_fresh_node_does_not_start_with_it() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&wrong());
    insta::assert_snapshot!(sandbox.run_in_vain(&[]));
    assert!(!sandbox.path("bpf/evermesh").exists());
}

#[test]
fn a_running_node_keeps_the_last_good_one_and_says_so() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.start();
    let standing = sandbox.standing();
    sandbox.write_config(&wrong());
    let refused = until(|| Some(status(&sandbox)).filter(|status| !status["refused"].is_null())).unwrap();
    assert_eq!(refused["health"], "degraded");
    assert_eq!(refused["configuration"]["services"], 1);
    insta::assert_snapshot!(
        refused["refused"]["reason"].as_str().unwrap().replace(sandbox.path("").to_str().unwrap(), "[dir]/")
    );
    assert_eq!(sandbox.standing(), standing);
    assert!(running.is_alive());

    sandbox.write_config(MESH);
    until(|| (status(&sandbox)["health"] == "healthy").then_some(())).unwrap();
}

#[test]
fn a_node_starts_again_with_what_was_applied_last() {
    let sandbox = Sandbox::new();
    sandbox.leave_a_data_path();
    let standing = sandbox.standing();
    sandbox.write_config(&wrong());
    let _running = sandbox.start();
    let status = status(&sandbox);
    assert_eq!(status["configuration"]["services"], 1, "{status:#}");
    assert!(status["refused"]["reason"].as_str().unwrap().contains("10.96.0.1000"), "{status:#}");
    assert_eq!(sandbox.standing(), standing);
}
