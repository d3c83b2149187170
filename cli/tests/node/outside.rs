use crate::{pod::Pod, sandbox::Sandbox};

#[test]
fn a_pod_outside_of_the_hooked_cgroup_is_shown() {
    let sandbox = Sandbox::new();
    let running = sandbox.start();
    let pod = Pod::new();
    assert!(sandbox.call(&["pod", "add", "web-1", "--pid", &pod.pid()]).status.success());

    let seen = sandbox.json(&["status"]);
    assert_eq!(seen["health"], "degraded");
    let [outside] = seen["pods_outside"].as_array().unwrap().as_slice() else { panic!("{seen:#}") };
    assert_eq!((&outside["pod"], &outside["processes"]), (&"web-1".into(), &1.into()));
    assert_eq!(outside["pid"].to_string(), pod.pid());
    assert_eq!(sandbox.json(&["doctor"])["pods_outside"], seen["pods_outside"]);

    pod.move_to(sandbox.cgroup());
    let seen = sandbox.json(&["status"]);
    assert_eq!((&seen["health"], &seen["pods_outside"]), (&"healthy".into(), &serde_json::json!([])));
    running.stop();
}
