use std::fs;

use crate::{
    pod::Pod,
    sandbox::{Sandbox, until},
};

#[test]
fn a_node_lives_and_is_cleared() {
    let sandbox = Sandbox::new();
    let running = sandbox.start();

    let status = sandbox.json(&["status"]);
    assert_eq!(status["health"], "healthy", "{status:#}");
    assert_eq!(status["configuration"]["services"], 1);
    assert_eq!(status["data_path"]["hooks_attached"], 9);
    insta::assert_snapshot!("services", sandbox.told(&sandbox.call(&["dump", "services"])));
    insta::assert_snapshot!("endpoints", sandbox.told(&sandbox.call(&["dump", "endpoints"])));
    insta::assert_snapshot!("workloads", sandbox.told(&sandbox.call(&["dump", "workloads"])));
    insta::assert_snapshot!("flows", sandbox.told(&sandbox.call(&["dump", "flows"])));

    running.stop();
    let standing = sandbox.standing();
    let status = sandbox.json(&["status"]);
    assert_eq!(status["health"], "degraded");
    assert_eq!(status["problems"].as_array().unwrap().len(), 1, "{status:#}");
    assert_eq!(status["configuration"]["endpoints"], 1, "{status:#}");
    insta::assert_snapshot!("endpoints", sandbox.told(&sandbox.call(&["dump", "endpoints"])));
    assert_eq!(sandbox.standing(), standing);

    let removed = sandbox.json(&["uninstall", "--purge"]);
    assert!(!sandbox.path("bpf/evermesh").exists());
    assert!(removed["removed"].as_array().unwrap().len() > 30, "{removed:#}");
    assert_eq!(fs::read_dir(sandbox.path("state")).unwrap().count(), 0);
    insta::assert_snapshot!("uninstalled_again", sandbox.told(&sandbox.call(&["uninstall"])));
    insta::assert_snapshot!("status_of_nothing", sandbox.told(&sandbox.call(&["status"])));
}

#[test]
fn uninstall_stops_a_living_supervisor() {
    let sandbox = Sandbox::new();
    let mut running = sandbox.start();
    let removed = sandbox.json(&["uninstall"]);
    assert_eq!(removed["supervisor_stopped"], true, "{removed:#}");
    assert!(running.ended().success());
    assert!(!sandbox.path("bpf/evermesh").exists());
    assert!(sandbox.path("state/last-applied").exists());
}

#[test]
fn pods_are_enrolled_listed_and_removed_with_nobody_alive() {
    let sandbox = Sandbox::new();
    let pod = Pod::new();
    sandbox.leave_a_data_path();
    let namespace = pod.namespace();

    insta::assert_snapshot!(
        "added",
        sandbox.told(&sandbox.call(&["pod", "add", "web-1", "--pid", &pod.pid()]))
    );
    let again = sandbox.json(&["pod", "add", "web-1", "--netns", &namespace]);
    assert_eq!(sandbox.json(&["pod", "list"])["pods"], serde_json::json!([again["enrolled"]]));
    insta::assert_snapshot!("removed", sandbox.told(&sandbox.call(&["pod", "remove", "web-1"])));
    insta::assert_snapshot!("unknown", sandbox.told(&sandbox.call(&["pod", "remove", "web-1"])));
    insta::assert_snapshot!(
        "no_namespace",
        sandbox.told(&sandbox.call(&["pod", "add", "x", "--netns", "no-such"]))
    );
}

#[test]
fn a_changed_file_is_applied() {
    let sandbox = Sandbox::new();
    let _running = sandbox.start();
    sandbox.write_config(&crate::sandbox::MESH.replace("10.244.0.11", "10.244.0.99"));
    let address = || sandbox.json(&["dump", "endpoints"])["endpoints"][0]["address"].clone();
    until(|| (address() == "10.244.0.99").then_some(())).unwrap();
    assert_eq!(sandbox.json(&["status"])["data_path"]["drifts"], 0);
}
