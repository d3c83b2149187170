//! A mesh that there is no room for: services that stand follow who comes and goes.

use crate::sandbox::{MESH, Sandbox, until};

const ROOM: [&str; 2] = ["--max-endpoints", "3"];

/// Workloads behind `web`, each with its number as the last byte of its address, and some behind another service.
fn mesh(webs: &[u8], others: &[u8]) -> String {
    let (services, _) = MESH.split_once("workloads:").unwrap();
    let service = |name: &str, vip: &str| {
        services.replace("\nservices:\n", "").replace("web", name).replace("10.96.0.10", vip)
    };
    let workload = |(name, number): (&str, &u8)| {
        format!(
            "  - {{uid: demo/{name}-{number}, name: {name}-{number}, namespace: demo, workloadIps: [10.244.0.{number}], services: {{demo/{name}.demo.svc: {{}}}}}}\n"
        )
    };
    let api = if others.is_empty() { String::new() } else { service("api", "10.96.0.20") };
    let all = webs.iter().map(|number| ("web", number)).chain(others.iter().map(|number| ("api", number)));
    format!(
        "services:\n{}{api}workloads:\n{}",
        service("web", "10.96.0.10"),
        all.map(workload).collect::<String>()
    )
}

/// The last bytes of the addresses behind `web`; none while one of another service stands.
fn webs(sandbox: &Sandbox) -> Option<Vec<u8>> {
    let endpoints = sandbox.told(&sandbox.call(&["dump", "endpoints"]));
    let numbers = endpoints.split("10.244.0.").skip(1);
    let numbers = numbers.map(|text| text.split(':').next().unwrap().parse().unwrap());
    let mut numbers: Vec<u8> = numbers.collect();
    numbers.sort_unstable();
    (!endpoints.contains("api")).then_some(numbers)
}

fn become_webs(sandbox: &Sandbox, numbers: &[u8]) {
    let found = until(|| webs(sandbox).filter(|found| found == numbers));
    assert!(found.is_some(), "not {numbers:?}: {:?}; {:#}", webs(sandbox), sandbox.json(&["status"]));
}

/// Endpoints that were gone were given flows for as long as a table was full.
#[test]
fn services_that_stand_follow_who_comes_and_goes_over_a_crash_and_until_there_is_room() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&mesh(&[11, 12], &[]));
    let running = sandbox.start_with(&ROOM);
    become_webs(&sandbox, &[11, 12]);

    sandbox.write_config(&mesh(&[12, 13], &[21, 22]));
    become_webs(&sandbox, &[12, 13]);
    let refused = sandbox.json(&["status"]);
    assert_eq!((&refused["health"], &refused["configuration"]["services"]), (&"degraded".into(), &1.into()));
    let reason = refused["refused"]["reason"].as_str().unwrap();
    assert!(reason.contains("`endpoints` is full: raise --max-endpoints"), "{reason}");

    running.kill();
    let running = sandbox.start_with(&ROOM);
    become_webs(&sandbox, &[12, 13]);
    sandbox.write_config(&mesh(&[13], &[21, 22, 23]));
    become_webs(&sandbox, &[13]);

    sandbox.write_config(&mesh(&[12, 13], &[]));
    become_webs(&sandbox, &[12, 13]);
    assert_eq!(sandbox.json(&["status"])["health"], "healthy");
    running.stop();
}
