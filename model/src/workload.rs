use std::{fmt, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::{Digest, InvalidSnapshot, Locality, Memberships, Names, check};

/// A workload's name: unique in the mesh, stable while the workload lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "SmolStr", into = "SmolStr")]
pub struct WorkloadUid {
    name: SmolStr,
    digest: Digest,
}

impl WorkloadUid {
    /// The workload of that name.
    pub fn new(name: impl AsRef<str>) -> Self {
        SmolStr::new(name).into()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What the kernel's tables know it by.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl From<SmolStr> for WorkloadUid {
    fn from(name: SmolStr) -> Self {
        Self { digest: Digest::of_workload(&name), name }
    }
}

impl From<WorkloadUid> for SmolStr {
    fn from(uid: WorkloadUid) -> Self {
        uid.name
    }
}

impl Default for WorkloadUid {
    fn default() -> Self {
        Self::new("")
    }
}

impl fmt::Display for WorkloadUid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The addresses of a workload: most have one of each family at most.
pub type Addresses = SmallVec<[IpAddr; 2]>;

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
// In this order: what is read of each of a million workloads stands together, and first.
#[repr(C)]
pub struct Workload {
    /// Unique name.
    pub uid: WorkloadUid,
    /// Its addresses, at most one used of each family: the first.
    pub addresses: Addresses,
    /// Its weight among the workloads of a service. 0: it is given no traffic, and keeps what it has.
    pub capacity: u32,
    /// Whether it may be given traffic.
    pub health: Health,
    /// No flows are led to it, because what is asked for on the way to it cannot be done.
    #[serde(default, skip_serializing_if = "not")]
    pub withheld: bool,
    /// Network its addresses belong to; empty: this one.
    pub network: SmolStr,
    /// The services it stands behind, with the ports on which it deviates.
    pub services: Memberships,
    /// Short name.
    pub name: SmolStr,
    /// Kubernetes namespace.
    pub namespace: SmolStr,
    /// Node it runs on; may be empty.
    pub node: SmolStr,
    /// Cluster it runs in; may be empty.
    pub cluster: SmolStr,
    /// Where it runs.
    pub locality: Arc<Locality>,
    /// Canonical revision: what a service's `split` goes by; may be empty.
    pub revision: SmolStr,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            uid: WorkloadUid::default(),
            name: SmolStr::default(),
            namespace: SmolStr::default(),
            addresses: Addresses::new(),
            node: SmolStr::default(),
            cluster: SmolStr::default(),
            locality: Arc::default(),
            network: SmolStr::default(),
            health: Health::default(),
            withheld: false,
            capacity: 1,
            revision: SmolStr::default(),
            services: Memberships::default(),
        }
    }
}

/// Most say no, which is left out where they are written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(crate) fn not(value: &bool) -> bool {
    !value
}

impl Workload {
    /// Says what is wrong with it by itself, if anything is.
    pub fn check(&self) -> Result<(), InvalidSnapshot> {
        check::workload(self)
    }

    /// Lets the names that it has in common with other workloads share their memory.
    pub fn share_names(&mut self, names: &mut Names) {
        let Self { network, namespace, node, cluster, locality, revision, services, .. } = self;
        let common = [network, namespace, node, cluster, revision];
        common.into_iter().for_each(|name| names.share(name));
        names.share_locality(locality);
        names.share_memberships(services);
    }

    /// For people: names need not be unique.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}
