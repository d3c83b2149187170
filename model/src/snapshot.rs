use std::{collections::HashMap, sync::Arc};

use imbl::OrdMap;

use crate::{
    InvalidSnapshot, Policy, Service, ServiceKey, VirtualIp, Workload, WorkloadUid, check,
    members::{Member, Members, Within},
};

/// One immutable, validated state of the whole mesh.
///
/// Snapshots share what they have in common: a clone costs nothing, and one that differs in a few parts costs what
/// differs, to make ([`Snapshot::with`]) and to compare ([`Delta`](crate::Delta)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub(crate) services: OrdMap<ServiceKey, Arc<Service>>,
    pub(crate) workloads: OrdMap<Member, Arc<Workload>>,
    policies: Arc<Vec<Arc<Policy>>>,
    /// Derived from the services.
    owners: OrdMap<VirtualIp, ServiceKey>,
    /// Derived from the workloads.
    members: OrdMap<ServiceKey, Members>,
}

/// What differs from another snapshot.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New or other services; those of `None` are gone.
    pub services: Vec<(ServiceKey, Option<Arc<Service>>)>,
    /// New or other workloads; those of `None` are gone.
    pub workloads: Vec<(WorkloadUid, Option<Arc<Workload>>)>,
    /// All policies, where they differ.
    pub policies: Option<Vec<Arc<Policy>>>,
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
        let mut snapshot = Self { policies: Arc::new(unique_policies(policies)?), ..Self::default() };
        for service in services {
            if let Some(first) = snapshot.services.get(&service.key) {
                let (first, second) = (first.name.to_string(), service.name.to_string());
                return Err(InvalidSnapshot::ServiceTwice { service: service.key.clone(), first, second });
            }
            snapshot.put_service(service)?;
        }
        for workload in workloads {
            if let Some(first) = snapshot.workloads.get(&workload.uid) {
                let (first, second) = (first.full_name(), workload.full_name());
                return Err(InvalidSnapshot::WorkloadTwice { uid: workload.uid.clone(), first, second });
            }
            snapshot.put_workload(workload)?;
        }
        Ok(snapshot)
    }

    /// This snapshot with some changes: virtual IPs may move from one changed service to another.
    pub fn with(&self, changes: Changes) -> Result<Self, InvalidSnapshot> {
        let mut snapshot = self.clone();
        if let Some(policies) = changes.policies {
            snapshot.policies = Arc::new(unique_policies(policies)?);
        }
        for (key, _) in &changes.services {
            snapshot.remove_service(key);
        }
        for service in changes.services.into_iter().filter_map(|(_, service)| service) {
            snapshot.put_service(service)?;
        }
        for (uid, workload) in changes.workloads {
            snapshot.remove_workload(&uid);
            workload.map_or(Ok(()), |workload| snapshot.put_workload(workload))?;
        }
        Ok(snapshot)
    }

    /// How many services there are.
    pub fn service_count(&self) -> usize {
        self.services.len()
    }

    /// How many workloads there are.
    pub fn workload_count(&self) -> usize {
        self.workloads.len()
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

    /// The workloads that stand behind a service, healthy or not, in an order that is the same everywhere. A service that
    /// is not (yet) in the snapshot may have members too.
    pub fn members(&self, key: &ServiceKey) -> impl Iterator<Item = &Arc<Workload>> {
        self.members.get(key).into_iter().flat_map(Members::iter)
    }

    /// Those of a service's [`members`](Self::members) that are between these two, in the order of their uids.
    pub fn members_within<'a>(
        &'a self,
        key: &ServiceKey,
        part: Within<'_>,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Workload>> + use<'a> {
        self.members.get(key).map(|members| members.within(part)).into_iter().flatten()
    }

    /// All services, by name, each with its [`members`](Self::members).
    pub fn services_with_members(
        &self,
    ) -> impl Iterator<Item = (&Arc<Service>, impl Iterator<Item = &Arc<Workload>>)> {
        let mut members = self.members.iter().peekable();
        self.services.iter().map(move |(key, service)| {
            // Most have members, and names that are the same are told so sooner than their order.
            let own = members.next_if(|(other, _)| *other == key).or_else(|| {
                while members.next_if(|(other, _)| *other < key).is_some() {}
                members.next_if(|(other, _)| *other == key)
            });
            (service, own.into_iter().flat_map(|(_, members)| members.iter()))
        })
    }

    fn put_service(&mut self, service: Arc<Service>) -> Result<(), InvalidSnapshot> {
        check::service(&service)?;
        for vip in &service.vips {
            if let Some(first) = self.owners.insert(vip.clone(), service.key.clone()) {
                let (vip, second) = (Box::new(vip.clone()), service.key.clone());
                return Err(InvalidSnapshot::VirtualIpTwice { vip, first, second });
            }
        }
        self.services.insert(service.key.clone(), service);
        Ok(())
    }

    fn remove_service(&mut self, key: &ServiceKey) {
        let gone = self.services.remove(key);
        for vip in gone.iter().flat_map(|service| &service.vips) {
            self.owners.remove(vip);
        }
    }

    fn put_workload(&mut self, workload: Arc<Workload>) -> Result<(), InvalidSnapshot> {
        check::workload(&workload)?;
        for service in workload.services.keys() {
            match self.members.get_mut(service) {
                Some(members) => members.put(workload.clone()),
                None => self.members.entry(service.clone()).or_default().put(workload.clone()),
            }
        }
        self.workloads.insert(Member(workload.clone()), workload);
        Ok(())
    }

    fn remove_workload(&mut self, uid: &WorkloadUid) {
        let gone = self.workloads.remove(uid);
        for service in gone.iter().flat_map(|workload| workload.services.keys()) {
            let Some(members) = self.members.get_mut(service) else { continue };
            members.remove(uid);
            if members.is_empty() {
                self.members.remove(service);
            }
        }
    }
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
