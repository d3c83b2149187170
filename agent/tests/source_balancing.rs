//! However a service is balanced and wherever a workload runs: what is written is what is read.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use evermesh_agent::source::{self, Loaded};
use evermesh_model::{Algorithm, Balancing, Health, HealthPolicy, Locality, Mode, Scope, Workload};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
};
use serde_json::{Value, json};

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Random, Algorithm::RoundRobin, Algorithm::Maglev];
const MODES: [Mode; 4] = [Mode::Standard, Mode::Strict, Mode::Failover, Mode::Passthrough];
const SCOPES: [Scope; 6] =
    [Scope::Region, Scope::Zone, Scope::Subzone, Scope::Node, Scope::Cluster, Scope::Network];
const HEALTH_POLICIES: [HealthPolicy; 3] =
    [HealthPolicy::OnlyHealthy, HealthPolicy::PreferHealthy, HealthPolicy::AllowAll];
const HEALTH: [Health; 3] = [Health::Healthy, Health::Unhealthy, Health::Draining];

fn balancing() -> impl Strategy<Value = Balancing> {
    let split = btree_map("[a-z0-9. -]{0,6}", any::<u32>(), 0..4);
    let split = split.prop_filter("it gives something", |s| s.is_empty() || s.values().any(|n| *n > 0));
    let decided = (select(&MODES[..]), vec(select(&SCOPES[..]), 0..4), select(&HEALTH_POLICIES[..]));
    (select(&ALGORITHMS[..]), decided, split).prop_map(|(algorithm, (mode, scopes, health_policy), split)| {
        let split = split.into_iter().map(|(revision, share)| (revision.into(), share)).collect();
        Balancing { algorithm, mode, scopes, health_policy, split }
    })
}

/// The model's words are those of the format; a split that is empty is written by leaving it out.
fn service_text(balancing: &Balancing) -> Value {
    let mut service = json!({
        "name": "web", "namespace": "demo", "hostname": "web", "vips": [], "ports": {},
        "algorithm": balancing.algorithm,
        "loadBalancer": {
            "routingPreferences": balancing.scopes,
            "mode": balancing.mode,
            "healthPolicy": balancing.health_policy,
        },
    });
    if !balancing.split.is_empty() {
        service["split"] = balancing.split.iter().map(|(name, share)| (name.clone(), json!(share))).collect();
    }
    service
}

fn workload() -> impl Strategy<Value = Workload> {
    let place = "[a-z0-9 ]{0,3}";
    let locality = (place, place, place).prop_map(|(region, zone, subzone)| Locality {
        region: region.into(),
        zone: zone.into(),
        subzone: subzone.into(),
    });
    let rest = (select(&HEALTH[..]), any::<u32>(), place);
    (place, place, locality, rest).prop_map(|(node, cluster, locality, (health, capacity, revision))| {
        Workload {
            node: node.into(),
            cluster: cluster.into(),
            locality: locality.into(),
            health,
            capacity,
            revision: revision.into(),
            ..Workload::default()
        }
    })
}

fn workload_text(workload: &Workload) -> Value {
    json!({
        "name": "web-1", "namespace": "demo", "workloadIps": [],
        "node": workload.node, "clusterId": workload.cluster, "locality": workload.locality,
        "status": workload.health, "capacity": workload.capacity, "canonicalRevision": workload.revision,
    })
}

fn load(mesh: &Value) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mesh.yaml");
    fs::write(&file, mesh.to_string()).unwrap();
    source::read(&file).unwrap().parse().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(balancing in balancing(), workload in workload()) {
        let mesh = json!({ "services": [service_text(&balancing)], "workloads": [workload_text(&workload)] });
        let loaded = load(&mesh);
        prop_assert_eq!(&loaded.snapshot.services().next().unwrap().balancing, &balancing);
        let read = Workload::clone(loaded.snapshot.workloads().next().unwrap());
        let (uid, name, namespace) = (read.uid.clone(), read.name.clone(), read.namespace.clone());
        prop_assert_eq!(read, Workload { uid, name, namespace, ..workload });
        prop_assert_eq!(loaded.warnings, Vec::<String>::new());
    }
}

#[test]
fn without_a_word_everything_is_default() {
    let mut service = service_text(&Balancing::default());
    let fields = service.as_object_mut().unwrap();
    fields.remove("algorithm");
    fields.insert("loadBalancer".into(), Value::Null);
    let workload = json!({ "name": "web-1", "namespace": "demo", "workloadIps": [] });
    let loaded = load(&json!({ "services": [service], "workloads": [workload] }));
    assert_eq!(loaded.snapshot.services().next().unwrap().balancing, Balancing::default());
    let read = loaded.snapshot.workloads().next().unwrap();
    assert_eq!((read.capacity, &*read.locality, read.health), (1, &Locality::default(), Health::Healthy));
}
