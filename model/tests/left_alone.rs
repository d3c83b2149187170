//! Ports whose flows are left alone.

use evermesh_model::{
    LastApplied, Passes, Port, Protocol, Service, ServiceKey, Snapshot, Workload, WorkloadUid,
};

fn key() -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: "dns".into() }
}

fn service(passes: Passes, target_port: u16) -> Service {
    let port = Port { passes, ..Port::new(target_port, vec![Protocol::Udp]) };
    Service { key: key(), ports: [(53, port)].into(), ..Service::default() }
}

/// Behind the service, with this target for that port.
fn member(targets: &[(u16, u16)]) -> Workload {
    let services = [(key(), targets.iter().copied().collect())].into();
    Workload { uid: WorkloadUid::new("w1"), services, ..Workload::default() }
}

#[test]
fn a_port_is_left_alone_while_nobody_says_its_target() {
    let unsaid = service(Passes::Untargeted, 0);
    assert!(unsaid.leaves_alone(53, [].iter()));
    assert!(unsaid.leaves_alone(53, [member(&[]), member(&[(54, 5353)])].iter()));
    assert!(!unsaid.leaves_alone(53, [member(&[]), member(&[(53, 5353)])].iter()));
    assert!(!unsaid.leaves_alone(54, [].iter()), "a port that it does not have");
    assert!(!service(Passes::Untargeted, 5353).leaves_alone(53, [].iter()));
    assert!(!service(Passes::Never, 0).leaves_alone(53, [].iter()));
    assert!(service(Passes::Always, 0).leaves_alone(53, [member(&[(53, 5353)])].iter()));
}

#[test]
fn what_is_withheld_is_not_left_alone() {
    for passes in [Passes::Untargeted, Passes::Always] {
        let withheld = Service { withheld: true, ..service(passes, 0) };
        assert!(!withheld.leaves_alone(53, [member(&[])].iter()));
        let withheld = Workload { withheld: true, ..member(&[]) };
        assert!(!service(passes, 0).leaves_alone(53, [member(&[]), withheld].iter()));
    }
}

#[test]
fn a_record_of_a_release_that_left_nothing_alone_is_read() {
    let now = serde_json::to_string(&service(Passes::Never, 5353)).unwrap();
    assert!(!now.contains("passes"), "{now}");
    assert_eq!(serde_json::from_str::<Service>(&now).unwrap(), service(Passes::Never, 5353));
    let snapshot = Snapshot::new([service(Passes::Always, 0)], [], []).unwrap();
    let (source, digest, warnings) = ("control plane".to_owned(), [0; 32], Vec::new());
    let record = LastApplied { source, digest, applied_unix_ms: 1, warnings, snapshot };
    assert_eq!(LastApplied::decode(&record.encode().unwrap()).unwrap(), record);
}
