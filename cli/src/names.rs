use std::collections::HashMap;

use evermesh_model::{Digest, Snapshot};

/// The names behind the digests in the kernel's tables, from the configuration applied last. What the tables hold and
/// that configuration does not is shown by its digest.
#[derive(Debug, Default)]
pub struct Names {
    services: HashMap<u64, String>,
    workloads: HashMap<u64, String>,
}

impl Names {
    /// Every name that a table filled from this snapshot can hold.
    pub fn of(snapshot: &Snapshot) -> Self {
        let services = snapshot.services().flat_map(|service| {
            let ports = service.ports.keys().flat_map(|&port| [(port, 4), (port, 6)]);
            ports.map(|(port, family)| {
                (Digest::of_service_port(&service.key, port, family).get(), service.key.to_string())
            })
        });
        let workloads =
            snapshot.workloads().map(|workload| (workload.uid.digest().get(), workload.uid.to_string()));
        Self { services: services.collect(), workloads: workloads.collect() }
    }

    /// These, and those that only `others` knows.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (digest, name) in others.services {
            self.services.entry(digest).or_insert(name);
        }
        for (digest, name) in others.workloads {
            self.workloads.entry(digest).or_insert(name);
        }
        self
    }

    /// The service that a service port belongs to.
    pub fn service(&self, digest: u64) -> String {
        self.services.get(&digest).cloned().unwrap_or_else(|| hex(digest))
    }

    /// The workload's uid.
    pub fn workload(&self, digest: u64) -> String {
        self.workloads.get(&digest).cloned().unwrap_or_else(|| hex(digest))
    }
}

/// A digest as it is shown.
pub fn hex(digest: u64) -> String {
    format!("{digest:#018x}")
}
