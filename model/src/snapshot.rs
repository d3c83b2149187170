use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    sync::Arc,
};

use crate::{InvalidSnapshot, Policy, Service, ServiceKey, VirtualIp, Workload, WorkloadUid, check};

/// One immutable, validated state of the whole mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    services: BTreeMap<ServiceKey, Arc<Service>>,
    workloads: BTreeMap<WorkloadUid, Arc<Workload>>,
    policies: Vec<Arc<Policy>>,
    /// Derived from the workloads; each list by uid.
    members: BTreeMap<ServiceKey, Vec<Arc<Workload>>>,
}

impl Snapshot {
    /// Checks each part, and that names and virtual IPs are unique. Says the first thing that is wrong.
    pub fn new(
        services: impl IntoIterator<Item = Service>,
        workloads: impl IntoIterator<Item = Workload>,
        policies: impl IntoIterator<Item = Policy>,
    ) -> Result<Self, InvalidSnapshot> {
        Self::of_shared(
            services.into_iter().map(Arc::new),
            workloads.into_iter().map(Arc::new),
            policies.into_iter().map(Arc::new),
        )
    }

    /// Like [`Snapshot::new`], of parts that other snapshots may share. What two snapshots share costs
    /// nothing to compare.
    pub fn of_shared(
        services: impl IntoIterator<Item = Arc<Service>>,
        workloads: impl IntoIterator<Item = Arc<Workload>>,
        policies: impl IntoIterator<Item = Arc<Policy>>,
    ) -> Result<Self, InvalidSnapshot> {
        let services = unique_services(services)?;
        claim_virtual_ips(&services)?;
        let workloads = unique_workloads(workloads)?;
        let members = members_of_services(&workloads);
        Ok(Self { services, workloads, policies: unique_policies(policies)?, members })
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

    /// The workloads that stand behind a service, healthy or not, by uid. A service that is not (yet) in the
    /// snapshot may have members too.
    pub fn members(&self, key: &ServiceKey) -> impl Iterator<Item = &Arc<Workload>> {
        self.members.get(key).into_iter().flatten()
    }
}

fn unique_services(
    services: impl IntoIterator<Item = Arc<Service>>,
) -> Result<BTreeMap<ServiceKey, Arc<Service>>, InvalidSnapshot> {
    let mut unique = BTreeMap::new();
    for service in services {
        check::service(&service)?;
        match unique.entry(service.key.clone()) {
            Entry::Vacant(free) => free.insert(service),
            Entry::Occupied(taken) => {
                let first = taken.get().name.clone();
                let (service, second) = (service.key.clone(), service.name.clone());
                return Err(InvalidSnapshot::ServiceTwice { service, first, second });
            }
        };
    }
    Ok(unique)
}

fn claim_virtual_ips(services: &BTreeMap<ServiceKey, Arc<Service>>) -> Result<(), InvalidSnapshot> {
    let mut owners: HashMap<&VirtualIp, &ServiceKey> = HashMap::new();
    for (key, service) in services {
        for vip in &service.vips {
            if let Some(first) = owners.insert(vip, key) {
                let (first, second) = (first.clone(), key.clone());
                return Err(InvalidSnapshot::VirtualIpTwice { vip: Box::new(vip.clone()), first, second });
            }
        }
    }
    Ok(())
}

fn unique_workloads(
    workloads: impl IntoIterator<Item = Arc<Workload>>,
) -> Result<BTreeMap<WorkloadUid, Arc<Workload>>, InvalidSnapshot> {
    let mut unique = BTreeMap::new();
    for workload in workloads {
        check::workload(&workload)?;
        match unique.entry(workload.uid.clone()) {
            Entry::Vacant(free) => free.insert(workload),
            Entry::Occupied(taken) => {
                let first = taken.get().full_name();
                let (uid, second) = (workload.uid.clone(), workload.full_name());
                return Err(InvalidSnapshot::WorkloadTwice { uid, first, second });
            }
        };
    }
    Ok(unique)
}

/// In the order of the workloads, so each list is sorted by uid.
fn members_of_services(
    workloads: &BTreeMap<WorkloadUid, Arc<Workload>>,
) -> BTreeMap<ServiceKey, Vec<Arc<Workload>>> {
    let mut members: BTreeMap<ServiceKey, Vec<_>> = BTreeMap::new();
    for workload in workloads.values() {
        for service in workload.services.keys() {
            match members.get_mut(service) {
                Some(list) => list.push(workload.clone()),
                None => drop(members.insert(service.clone(), vec![workload.clone()])),
            }
        }
    }
    members
}

fn unique_policies(
    policies: impl IntoIterator<Item = Arc<Policy>>,
) -> Result<Vec<Arc<Policy>>, InvalidSnapshot> {
    let policies: Vec<_> = policies.into_iter().collect();
    let mut actions = HashMap::new();
    for policy in &policies {
        if let Some(first) = actions.insert((&policy.namespace, &policy.name), policy.action) {
            let (policy, second) = (policy.to_string(), policy.action);
            return Err(InvalidSnapshot::PolicyTwice { policy, first, second });
        }
    }
    Ok(policies)
}
