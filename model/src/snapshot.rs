use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{Policy, Service, ServiceKey, Workload, WorkloadUid};

/// One immutable, validated state of the whole mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    services: BTreeMap<ServiceKey, Arc<Service>>,
    workloads: BTreeMap<WorkloadUid, Arc<Workload>>,
    policies: Vec<Arc<Policy>>,
    members: BTreeMap<ServiceKey, BTreeSet<WorkloadUid>>,
}

/// Why a set of services, workloads and policies is no mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSnapshot {}

impl Snapshot {
    /// Checks that names and virtual IPs are unique.
    pub fn new(
        services: impl IntoIterator<Item = Service>,
        workloads: impl IntoIterator<Item = Workload>,
        policies: impl IntoIterator<Item = Policy>,
    ) -> Result<Self, InvalidSnapshot> {
        let mut new = Self {
            policies: policies.into_iter().map(Arc::new).collect(),
            ..Self::default()
        };
        for service in services {
            new.services.insert(service.key.clone(), Arc::new(service));
        }
        for workload in workloads {
            for key in workload.services.keys() {
                new.members.entry(key.clone()).or_default().insert(workload.uid.clone());
            }
            new.workloads.insert(workload.uid.clone(), Arc::new(workload));
        }
        Ok(new)
    }

    /// All services, by name.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.values()
    }

    /// The service of that name.
    pub fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        self.services.get(key)
    }

    /// All workloads, by uid.
    pub fn workloads(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.workloads.values()
    }

    /// The workload of that uid.
    pub fn workload(&self, uid: &WorkloadUid) -> Option<&Arc<Workload>> {
        self.workloads.get(uid)
    }

    /// All policies, in the order of their source.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter()
    }

    /// The workloads that stand behind a service, healthy or not, by uid.
    pub fn members(&self, key: &ServiceKey) -> impl Iterator<Item = &Arc<Workload>> {
        self.members.get(key).into_iter().flatten().filter_map(|uid| self.workloads.get(uid))
    }
}
