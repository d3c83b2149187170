use std::{fs, process::Command};

use serde_json::Value;

use crate::sandbox::{Sandbox, until};

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.call(&[arguments, &["--output", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", sandbox.told(&output)))
}

/// Of another process that is in a network namespace of its own.
struct Pod(std::process::Child);

impl Pod {
    fn new() -> Self {
        Self(Command::new("unshare").args(["--net", "sleep", "infinity"]).spawn().unwrap())
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_node_lives_and_is_cleared() {
    let sandbox = Sandbox::new();
    let running = sandbox.start();

    let status = json(&sandbox, &["status"]);
    assert_eq!(status["health"], "healthy", "{status:#}");
    assert_eq!(status["configuration"]["services"], 1);
    assert_eq!(status["data_path"]["hooks_attached"], 9);
    insta::assert_snapshot!("services", sandbox.told(&sandbox.call(&["dump", "services"])));
    insta::assert_snapshot!("endpoints", sandbox.told(&sandbox.call(&["dump", "endpoints"])));
    insta::assert_snapshot!("workloads", sandbox.told(&sandbox.call(&["dump", "workloads"])));

    running.stop();
    let standing = sandbox.standing();
    let status = json(&sandbox, &["status"]);
    assert_eq!(status["health"], "degraded");
    assert_eq!(status["problems"].as_array().unwrap().len(), 1, "{status:#}");
    assert_eq!(status["configuration"]["endpoints"], 1, "{status:#}");
    insta::assert_snapshot!("endpoints", sandbox.told(&sandbox.call(&["dump", "endpoints"])));
    assert_eq!(sandbox.standing(), standing);

    let removed = json(&sandbox, &["uninstall", "--purge"]);
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
    let removed = json(&sandbox, &["uninstall"]);
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
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let namespace = format!("/proc/{}/ns/net", pod.pid());
    until(|| (fs::read_link(&namespace).ok()? != own).then_some(())).unwrap();

    insta::assert_snapshot!(
        "added",
        sandbox.told(&sandbox.call(&["pod", "add", "web-1", "--pid", &pod.pid()]))
    );
    let again = json(&sandbox, &["pod", "add", "web-1", "--netns", &namespace]);
    assert_eq!(json(&sandbox, &["pod", "list"])["pods"], serde_json::json!([again["enrolled"]]));
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
    let address = || json(&sandbox, &["dump", "endpoints"])["endpoints"][0]["address"].clone();
    until(|| (address() == "10.244.0.99").then_some(())).unwrap();
    assert_eq!(json(&sandbox, &["status"])["data_path"]["drifts"], 0);
}
