//! Meshes that change step by step, of so few distinct values that they meet often.

mod service;
mod workload;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use evermesh_model::{InvalidSnapshot, Protocol, Service, ServiceKey, Snapshot, VirtualIp, Workload};

/// The node whose place counts.
pub const NODE: &str = "node-1";
/// Ports of services; and one that no service has.
const PORTS: [u16; 2] = [53, 80];
const NO_PORT: u16 = 81;
/// Ports that workloads listen at.
pub const TARGET_PORTS: [u16; 3] = [8080, 8081, 9090];
const VIPS: u8 = 5;
const SERVICES: u8 = 3;
const WORKLOADS: u8 = 10;

/// One change. The numbers alone tell what it means, so that others can be left out without a change of it.
#[derive(Clone, Debug)]
pub struct Step {
    what: What,
    /// Which service or workload.
    who: u8,
    /// How.
    number: u32,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Service,
    Vips,
    Ports,
    Algorithm,
    Mode,
    HealthPolicy,
    Split,
    Workload,
    Health,
    Capacity,
    Locality,
    Revision,
    Membership,
    Addresses,
    Network,
}

impl Step {
    /// Any three numbers are a step.
    pub fn new(what: u8, who: u8, number: u32) -> Self {
        use What::{
            Addresses, Algorithm, Capacity, Health, HealthPolicy, Locality, Membership, Mode, Network, Ports,
            Revision, Service, Split, Vips, Workload,
        };
        let what = [
            Service,
            Vips,
            Ports,
            Algorithm,
            Mode,
            HealthPolicy,
            Split,
            Workload,
            Workload,
            Workload,
            Workload,
            Health,
            Health,
            Health,
            Capacity,
            Locality,
            Revision,
            Membership,
            Addresses,
            Network,
        ][usize::from(what % 20)];
        Self { what, who, number }
    }
}

/// Every destination that any mesh of a history knows, and some that none does.
pub fn destinations() -> impl Iterator<Item = (IpAddr, u16, Protocol)> {
    let addresses = (0..VIPS).map(vip).chain([address(0, true)]);
    addresses.flat_map(|address| {
        let ports = PORTS.into_iter().flat_map(|port| [(port, Protocol::Tcp), (port, Protocol::Udp)]);
        ports.chain([(NO_PORT, Protocol::Tcp)]).map(move |(port, protocol)| (address, port, protocol))
    })
}

fn vip(n: u8) -> IpAddr {
    match n < 3 {
        true => Ipv4Addr::new(10, 96, 7, n).into(),
        false => Ipv6Addr::new(0xfd00, 0x96, 0, 0, 0, 0, 7, n.into()).into(),
    }
}

fn address(n: u8, ipv4: bool) -> IpAddr {
    match ipv4 {
        true => Ipv4Addr::new(10, 250, 0, n).into(),
        false => Ipv6Addr::new(0xfd00, 0x250, 0, 0, 0, 0, 0, n.into()).into(),
    }
}

fn key(n: u8) -> ServiceKey {
    ServiceKey { namespace: "demo".into(), hostname: format!("s{n}").into() }
}

fn pick<T: Clone>(from: &[T], number: u32) -> T {
    from[number as usize % from.len()].clone()
}

fn bit(number: u32, n: u8) -> bool {
    number >> n & 1 == 1
}

/// A mesh of up to three services and ten workloads.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    services: BTreeMap<u8, Arc<Service>>,
    workloads: BTreeMap<u8, Arc<Workload>>,
}

impl Mesh {
    /// The mesh as it is now.
    pub fn snapshot(&self) -> Result<Snapshot, InvalidSnapshot> {
        Snapshot::of_shared(self.services.values().cloned(), self.workloads.values().cloned(), [])
    }

    /// Changes it. A step that is about somebody who is not there changes nothing.
    pub fn step(&mut self, &Step { what, who, number }: &Step) {
        let (service, workload) = (who % SERVICES, who % WORKLOADS);
        match what {
            What::Service if number.is_multiple_of(5) => drop(self.services.remove(&service)),
            What::Service | What::Vips => self.claim(service, number),
            What::Workload => self.come_or_go(workload, number),
            What::Ports | What::Algorithm | What::Mode | What::HealthPolicy | What::Split => {
                if let Some(one) = self.services.get_mut(&service) {
                    service::change(Arc::make_mut(one), what, service, number);
                }
            }
            _ => {
                if let Some(one) = self.workloads.get_mut(&workload) {
                    workload::change(Arc::make_mut(one), what, workload, number);
                }
            }
        }
    }

    /// Gives a service its virtual IPs, which are taken from whoever has them.
    fn claim(&mut self, n: u8, number: u32) {
        let network = if number % 16 == 1 { "elsewhere" } else { "" };
        let virtual_ip = |n| VirtualIp { network: network.into(), address: vip(n) };
        let vips: Vec<VirtualIp> = (0..VIPS).filter(|n| bit(number >> 8, *n)).map(virtual_ip).collect();
        for other in self.services.values_mut() {
            Arc::make_mut(other).vips.retain(|vip| !vips.contains(vip));
        }
        let service = self.services.entry(n).or_insert_with(|| Arc::new(service::new(n)));
        Arc::make_mut(service).vips = vips;
    }

    fn come_or_go(&mut self, n: u8, number: u32) {
        if self.workloads.remove(&n).is_none() {
            self.workloads.insert(n, Arc::new(workload::new(n, number)));
        }
    }
}
