//! Many picks in a short time: a UDP socket connects again and again, and its origin says where to.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsFd, OwnedFd},
};

use evermesh_abi::Origin;
use evermesh_loader::{Config, DataPlane, TableSizes};
use evermesh_model::{Balancing, Service, Snapshot, Workload, WorkloadUid};
use evermesh_pins::{Inventory, Table, sys};

use crate::bench::{Bench, VIP4, VIP6, key, service_at};

/// A socket whose picks are counted.
pub struct Picker {
    socket: UdpSocket,
    target: SocketAddr,
    origins: OwnedFd,
    cookie: u64,
}

impl Picker {
    /// In the namespace of this thread. No other socket may connect meanwhile.
    pub fn new(bench: &Bench, target: SocketAddr) -> Self {
        let mut inventory = Inventory::read(&bench.pins()).unwrap();
        let origins = inventory.frozen.remove(&Table::Origins).unwrap().fd;
        let others = cookies(&origins);
        let socket = UdpSocket::bind(if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).unwrap();
        socket.connect(target).unwrap();
        let cookie = *cookies(&origins).difference(&others).next().unwrap();
        Self { socket, target, origins, cookie }
    }

    /// Whom the next flow takes.
    pub fn pick(&self) -> (IpAddr, u16) {
        self.socket.connect(self.target).unwrap();
        let origin: Origin = sys::map_lookup(self.origins.as_fd(), &self.cookie).unwrap().unwrap();
        (origin.backend.into(), u16::from_be(origin.backend_port))
    }
}

fn cookies(origins: &OwnedFd) -> BTreeSet<u64> {
    let pairs = sys::map_pairs::<u64, Origin>(origins.as_fd()).unwrap();
    pairs.into_iter().map(|(cookie, _)| cookie).collect()
}

/// A data plane with room for Maglev's tables and for weights.
pub fn start(bench: &Bench, snapshot: Option<&Snapshot>) -> DataPlane {
    let sizes = TableSizes { services: 256, endpoints: 24_576, ..TableSizes::DEFAULT };
    DataPlane::start(Config { sizes, ..bench.config() }, snapshot).unwrap().0
}

/// The service of [`Bench`], balanced like this.
pub fn service(balancing: Balancing) -> Service {
    Service { balancing, ..service_at(key(), &[VIP4, VIP6]) }
}

/// Behind that service, at addresses of its own on [`NETWORKS`].
pub fn workload(n: u8) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/w{n}")),
        addresses: [format!("10.250.0.{n}"), format!("fd00:250::{n:x}")]
            .map(|ip| ip.parse().unwrap())
            .to_vec()
            .into(),
        services: [(key(), Default::default())].into(),
        ..Workload::default()
    }
}

/// Where the workloads are, for [`make_local`](crate::listeners::make_local).
pub const NETWORKS: [&str; 2] = ["10.250.0.0/24", "fd00:250::/64"];
