use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{Locality, Memberships};

/// A workload's name: unique in the mesh, stable while the workload lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// It may not, and flows that it has already should leave it.
    Unhealthy,
    /// It may not, and keeps the flows that it has.
    Draining,
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
    /// Cluster it runs in; may be empty.
    pub cluster: String,
    /// Where it runs.
    pub locality: Locality,
    /// Network its addresses belong to; empty: this one.
    pub network: String,
    /// Whether it may be given traffic.
    pub health: Health,
    /// Its weight among the workloads of a service. 0: it is given no traffic, and keeps what it has.
    pub capacity: u32,
    /// Canonical revision: what a service's `split` goes by; may be empty.
    pub revision: String,
    /// The services it stands behind, with the ports on which it deviates.
    pub services: Memberships,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            uid: WorkloadUid::default(),
            name: String::new(),
            namespace: String::new(),
            addresses: Vec::new(),
            node: String::new(),
            cluster: String::new(),
            locality: Locality::default(),
            network: String::new(),
            health: Health::default(),
            capacity: 1,
            revision: String::new(),
            services: Memberships::default(),
        }
    }
}

impl Workload {
    /// For people: names need not be unique.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}
