use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
};

use serde::Serialize;

use crate::{
    live::Tables,
    names::{Names, hex},
    output::columns,
};

/// `dump workloads`.
#[derive(Debug, Serialize)]
pub struct Workloads {
    generation: u32,
    workloads: Vec<WorkloadView>,
}

/// A workload that stands behind at least one service port.
#[derive(Debug, Serialize)]
struct WorkloadView {
    workload: String,
    addresses: BTreeSet<IpAddr>,
    services: BTreeSet<BehindView>,
    digest: String,
}

/// A service port, and the workload's own port for it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct BehindView {
    service: String,
    service_port: u16,
    port: u16,
}

impl Workloads {
    /// By uid.
    pub fn of(tables: &Tables, names: &Names) -> Self {
        let mut workloads: BTreeMap<u64, WorkloadView> = BTreeMap::new();
        for endpoint in tables.endpoints.values() {
            let view = workloads
                .entry(endpoint.workload)
                .or_insert_with(|| WorkloadView::without_services(endpoint.workload, names));
            let meta = tables.services.get(&endpoint.service).map(|service| service.meta).unwrap_or_default();
            view.addresses.insert(endpoint.address.into());
            view.services.insert(BehindView {
                service: names.service(meta.digest),
                service_port: meta.port,
                port: u16::from_be(endpoint.port),
            });
        }
        let mut workloads: Vec<_> = workloads.into_values().collect();
        workloads.sort_by(|a, b| a.workload.cmp(&b.workload));
        Self { generation: tables.generation, workloads }
    }
}

impl WorkloadView {
    fn without_services(digest: u64, names: &Names) -> Self {
        let (addresses, services) = (BTreeSet::new(), BTreeSet::new());
        Self { workload: names.workload(digest), addresses, services, digest: hex(digest) }
    }
}

impl fmt::Display for BehindView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, service_port, port } = self;
        write!(f, "{service}:{service_port} on {port}")
    }
}

impl fmt::Display for Workloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.workloads.is_empty() {
            return write!(f, "no workloads in generation {}", self.generation);
        }
        let row = |w: &WorkloadView| {
            let addresses: Vec<_> = w.addresses.iter().map(IpAddr::to_string).collect();
            let services: Vec<_> = w.services.iter().map(BehindView::to_string).collect();
            [w.workload.clone(), addresses.join(", "), services.join(", ")]
        };
        f.write_str(&columns(["WORKLOAD", "ADDRESSES", "STANDS BEHIND"], self.workloads.iter().map(row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::dump::samples;

    #[test]
    fn workloads_are_listed_by_uid() {
        insta::assert_snapshot!(Workloads::of(&samples::tables(), &samples::names()));
        insta::assert_snapshot!("no_workloads", Workloads::of(&Tables::default(), &Names::default()));
    }

    #[test]
    fn workloads_without_a_name_show_their_digest() {
        insta::assert_snapshot!(Workloads::of(&samples::tables(), &Names::default()));
    }

    #[test]
    fn workloads_are_listed_as_json() {
        let workloads = Workloads::of(&samples::tables(), &samples::names());
        insta::assert_snapshot!(serde_json::to_string_pretty(&workloads).unwrap());
    }
}
