use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use anyhow::Result;
use evermesh_model::{
    Changes, Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid,
};

/// Workloads behind each service but the last.
pub const ENDPOINTS_EACH: u32 = 20;
/// Workloads behind the last service, which is one more than was asked for.
pub const LARGE: u32 = 10_000;

/// A mesh of which single workloads are replaced.
pub struct Fleet {
    pub services: Vec<Arc<Service>>,
    pub workloads: Vec<Arc<Workload>>,
    serial: u32,
}

impl Fleet {
    pub fn new(count: u32) -> Self {
        let services = (0..=count).map(|n| Arc::new(service(n))).collect();
        let small = (0..count).flat_map(|n| (0..ENDPOINTS_EACH).map(move |_| n));
        let keys = small.chain((0..LARGE).map(|_| count));
        let workloads = (0..).zip(keys).map(|(n, service)| Arc::new(workload(n, n, service))).collect();
        Self { services, workloads, serial: 0 }
    }

    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot::of_shared(self.services.iter().cloned(), self.workloads.iter().cloned(), [])?)
    }

    /// As a control plane sends it again: nothing is shared with what was there before.
    pub fn fresh(&self) -> Result<Snapshot> {
        let services = self.services.iter().map(|it| Arc::new(Service::clone(it)));
        Ok(Snapshot::of_shared(services, self.workloads.iter().map(|it| Arc::new(Workload::clone(it))), [])?)
    }

    /// Workload `n` moves to another address.
    pub fn replace(&mut self, n: u32) -> Changes {
        self.serial += 1;
        let mut changes = Changes::default();
        if let Some(workload) = self.workloads.get_mut(n as usize) {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + self.serial));
            *workload = Arc::new(Workload { addresses: vec![address].into(), ..Workload::clone(workload) });
            changes.workloads.push((workload.uid.clone(), Some(workload.clone())));
        }
        changes
    }
}

fn key(n: u32) -> ServiceKey {
    ServiceKey { namespace: "scale".into(), hostname: format!("service-{n}.scale.svc.cluster.local").into() }
}

fn service(n: u32) -> Service {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a60_0000 + n));
    Service {
        name: format!("service-{n}").into(),
        key: key(n),
        vips: vec![VirtualIp { network: String::new().into(), address }],
        ports: BTreeMap::from([(80, Port { target_port: 8080, protocols: vec![Protocol::Tcp] })]),
        ..Service::default()
    }
}

fn workload(n: u32, address: u32, service: u32) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("cluster-1//Pod/scale/service-{service}-{n:08x}")),
        name: format!("service-{service}-{n:08x}").into(),
        namespace: "scale".into(),
        addresses: vec![IpAddr::V4(Ipv4Addr::from_bits(0x0c00_0000 + address))].into(),
        node: format!("node-{}", n % 1000).into(),
        services: [(key(service), BTreeMap::new())].into(),
        ..Workload::default()
    }
}
