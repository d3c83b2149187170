use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::ServiceKey;

/// A workload's name: unique in the mesh, stable while the workload lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkloadUid(pub String);

impl fmt::Display for WorkloadUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a workload may be given traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// It may.
    #[default]
    Healthy,
    /// It may not.
    Unhealthy,
}

/// One instance of an application: what stands behind services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Unique name.
    pub uid: WorkloadUid,
    /// Short name.
    pub name: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Its addresses, at most one used of each family: the first.
    pub addresses: Vec<IpAddr>,
    /// Node it runs on; may be empty.
    pub node: String,
    /// Network its addresses belong to; empty: this one.
    pub network: String,
    /// Whether it may be given traffic.
    pub health: Health,
    /// The services it stands behind, with the ports on which it deviates: service port to target port.
    pub services: BTreeMap<ServiceKey, BTreeMap<u16, u16>>,
}

impl Workload {
    /// For people: names need not be unique.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}
