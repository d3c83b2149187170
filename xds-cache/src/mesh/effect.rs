//! From what is known to the snapshot.

use std::{collections::BTreeSet, sync::Arc};

use evermesh_model::{Changes, Policy, Service, ServiceKey, Workload, WorkloadUid};

use super::{Kind, Mesh, Part, Touched};

impl Mesh {
    /// Leads the snapshot to what is known of the touched parts.
    pub(super) fn settle(&mut self, mut touched: Touched) {
        let rivals: Vec<_> = {
            let services = touched.services.iter().filter_map(|key| self.service(key));
            services.flat_map(|service| self.claims.rivals(service)).cloned().collect()
        };
        touched.services.extend(rivals);
        touched.workloads.sort_unstable();
        touched.workloads.dedup();
        let changes = Changes {
            services: touched.services.iter().filter_map(|key| self.other_service(key)).collect(),
            workloads: touched.workloads.iter().filter_map(|uid| self.other_workload(uid)).collect(),
            policies: touched.policies.then(|| self.policies()),
        };
        let concerned = self.concerned(&changes);
        match self.snapshot.with(changes) {
            Ok(snapshot) => {
                self.snapshot = snapshot;
                concerned.iter().for_each(|key| self.passing.update(key, &self.snapshot));
            }
            // Each part was checked, and claims were settled: nothing that a control plane says leads here.
            Err(error) => {
                tracing::error!(%error, "a defect: what was understood is no mesh, the one before it stays")
            }
        }
    }

    /// Services that differ, by themselves or by who stands behind them.
    fn concerned(&self, changes: &Changes) -> BTreeSet<ServiceKey> {
        let mut services: BTreeSet<_> = changes.services.iter().map(|(key, _)| key.clone()).collect();
        for (uid, after) in &changes.workloads {
            let both = self.snapshot.workload(uid).into_iter().chain(after);
            services.extend(both.flat_map(|workload| workload.services.keys()).cloned());
        }
        services
    }

    fn service(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        match &self.address(&key.to_string())? {
            Part::Service(service) => Some(service),
            _ => None,
        }
    }

    fn address(&self, name: &str) -> Option<&Part> {
        self.known.of(Kind::Address).get(name).map(|known| &known.part)
    }

    /// What the service should be, where it is something else.
    fn other_service(&self, key: &ServiceKey) -> Option<(ServiceKey, Option<Arc<Service>>)> {
        let wanted = self.service(key).map(|service| self.with_its_own(service));
        (self.snapshot.service(key) != wanted.as_ref()).then(|| (key.clone(), wanted))
    }

    /// Without the virtual IPs that belong to others.
    fn with_its_own(&self, service: &Arc<Service>) -> Arc<Service> {
        if service.vips.iter().all(|vip| self.claims.has(&service.key, vip)) {
            return service.clone();
        }
        let mut own = Service::clone(service);
        own.vips.retain(|vip| self.claims.has(&service.key, vip));
        Arc::new(own)
    }

    fn other_workload(&self, uid: &WorkloadUid) -> Option<(WorkloadUid, Option<Arc<Workload>>)> {
        let wanted = match self.address(uid.as_str()) {
            Some(Part::Workload { workload, hostname: None }) => Some(workload.clone()),
            Some(Part::Workload { workload, hostname: Some(hostname) }) => {
                let addresses = self.hostnames.addresses(hostname).unwrap_or_default().into();
                Some(Arc::new(Workload { addresses, ..Workload::clone(workload) }))
            }
            _ => None,
        };
        (self.snapshot.workload(uid) != wanted.as_ref()).then(|| (uid.clone(), wanted))
    }

    fn policies(&self) -> Vec<Arc<Policy>> {
        let policy = |part: &Part| match part {
            Part::Policy(policy) => Some(policy.clone()),
            _ => None,
        };
        let all = self.known.of(Kind::Authorization).iter().map(|(_, known)| known);
        let mut policies: Vec<_> = all.filter_map(|known| policy(&known.part)).collect();
        policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        policies
    }
}
