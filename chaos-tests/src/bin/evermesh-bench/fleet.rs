use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write as _},
    net::{IpAddr, Ipv4Addr},
    path::Path,
    sync::Arc,
};

use anyhow::Result;
use evermesh_loader::TableSizes;
use evermesh_model::{
    Changes, Port, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload, WorkloadUid,
};

/// Workloads behind each service but the last.
pub const ENDPOINTS_EACH: u32 = 20;
/// Workloads behind the last service, which is one more than was asked for.
const LARGE: u32 = 10_000;

/// Nodes that workloads run on in turns.
pub const NODES: u32 = 1000;
/// The one that runs the second of every so many.
pub const NODE: &str = "node-1";

/// Workloads behind so many services and one more.
pub fn endpoints(count: u32) -> u32 {
    count * ENDPOINTS_EACH + LARGE
}

/// Room for so many services and one more, and for so many changes beside what comes while all else goes.
pub fn room(count: u32, changes: u32) -> TableSizes {
    let endpoints = endpoints(count);
    TableSizes { services: count + 1, endpoints: endpoints + endpoints / 50 + changes, ..TableSizes::DEFAULT }
}

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

    /// As a file of the agent's.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "services:")?;
        for Service { name, key, vips, .. } in self.services.iter().map(AsRef::as_ref) {
            let (namespace, hostname, vips) =
                (&key.namespace, &key.hostname, vips.iter().map(ToString::to_string));
            let vips: Vec<String> = vips.collect();
            writeln!(file, "- name: {name}\n  namespace: {namespace}\n  hostname: {hostname}")?;
            writeln!(file, "  vips: {vips:?}\n  ports: {{80: {{targetPort: 8080, protocols: [TCP]}}}}")?;
        }
        writeln!(file, "workloads:")?;
        for Workload { uid, name, namespace, addresses, node, services, .. } in
            self.workloads.iter().map(AsRef::as_ref)
        {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            writeln!(file, "- uid: {uid}\n  name: {name}\n  namespace: {namespace}\n  node: {node}")?;
            writeln!(file, "  workloadIps: {addresses:?}\n  services:")?;
            services.keys().try_for_each(|key| writeln!(file, "    {key}: {{}}"))?;
        }
        Ok(file.flush()?)
    }

    /// As a control plane sends it again: nothing is shared with what was there before.
    pub fn fresh(&self) -> Result<Snapshot> {
        let services = self.services.iter().map(|it| Arc::new(Service::clone(it)));
        Ok(Snapshot::of_shared(services, self.workloads.iter().map(|it| Arc::new(Workload::clone(it))), [])?)
    }

    /// Workload `n` moves to another address.
    pub fn replace(&mut self, n: u32) -> Changes {
        self.serial += 1;
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + self.serial));
        self.change(n, |one| one.addresses = [address].into_iter().collect())
    }

    /// Workload `n` becomes another one.
    pub fn change(&mut self, n: u32, change: impl FnOnce(&mut Workload)) -> Changes {
        let mut changes = Changes::default();
        if let Some(workload) = self.workloads.get_mut(n as usize) {
            let mut other = Workload::clone(workload);
            change(&mut other);
            *workload = Arc::new(other);
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
        ports: BTreeMap::from([(80, Port::new(8080, vec![Protocol::Tcp]))]),
        ..Service::default()
    }
}

fn workload(n: u32, address: u32, service: u32) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("cluster-1//Pod/scale/service-{service}-{n:08x}")),
        name: format!("service-{service}-{n:08x}").into(),
        namespace: "scale".into(),
        addresses: [IpAddr::V4(Ipv4Addr::from_bits(0x0c00_0000 + address))].into_iter().collect(),
        node: format!("node-{}", n % NODES).into(),
        services: [(key(service), BTreeMap::new())].into(),
        ..Workload::default()
    }
}
