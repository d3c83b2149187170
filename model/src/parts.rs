//! A snapshot as a record: its parts. Whoever reads it back checks it again.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Policy, Service, Snapshot, Workload};

#[derive(Serialize)]
struct Parts<'a> {
    services: Vec<&'a Service>,
    workloads: Vec<&'a Workload>,
    policies: Vec<&'a Policy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnedParts {
    services: Vec<Arc<Service>>,
    workloads: Vec<Arc<Workload>>,
    policies: Vec<Arc<Policy>>,
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = Parts {
            services: self.services().map(AsRef::as_ref).collect(),
            workloads: self.workloads().map(AsRef::as_ref).collect(),
            policies: self.policies().map(AsRef::as_ref).collect(),
        };
        parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OwnedParts { services, workloads, policies } = OwnedParts::deserialize(deserializer)?;
        Self::of_shared(services, workloads, policies).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::{Snapshot, samples};

    proptest! {
        #[test]
        fn a_snapshot_survives_being_written_and_read(snapshot in samples::snapshot()) {
            let text = serde_json::to_string(&snapshot).unwrap();
            prop_assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
        }
    }

    #[test]
    fn a_record_that_is_no_mesh_is_refused() {
        let service = samples::service("web", &["10.96.0.10"]);
        let twice = serde_json::json!({ "services": [&service, &service], "workloads": [], "policies": [] });
        let error = serde_json::from_value::<Snapshot>(twice).unwrap_err();
        assert!(error.to_string().contains("service `demo/web` is defined twice"), "{error}");
    }
}
