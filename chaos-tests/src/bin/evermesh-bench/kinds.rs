//! What one change costs in services whose endpoints are not all alike, beside one in which they are.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use evermesh_chaos_tests::sandbox::Sandbox;
use evermesh_loader::{Config, DataPlane};
use evermesh_model::{Algorithm, Balancing, Health, Mode, Scope, Service, Workload};
use evermesh_pins::{PinDir, host};

use crate::{
    figures::table,
    fleet::{ENDPOINTS_EACH, Fleet, room},
    time::{median, timed, us},
};

const SERVICES: u32 = 500;
const CHANGES: u32 = 40;
/// Maglev's tables stand twice while they change.
const ROOM: u32 = 200_000;
const HEADER: [&str; 3] = ["one change", "of 20 us", "of 10,000 us"];

/// How services are balanced, and what changes in one of their workloads.
struct Kind {
    name: &'static str,
    balancing: Balancing,
    before: fn(u32, &mut Workload),
    change: fn(u32, &mut Workload),
}

/// One row for each kind.
pub fn measure() -> Result<String> {
    let row = |kind: &Kind| -> Result<Vec<String>> {
        let [few, many] = kind.measure()?.map(us);
        Ok(vec![kind.name.to_owned(), few, many])
    };
    Ok(table(HEADER, 1, kinds().iter().map(row).collect::<Result<Vec<_>>>()?).to_string())
}

fn kinds() -> [Kind; 6] {
    let moves: fn(u32, &mut Workload) = |n, one| {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + n));
        one.addresses = [address].into_iter().collect();
    };
    let plain = || Kind {
        name: "another address",
        balancing: Balancing::default(),
        before: |_, _| (),
        change: moves,
    };
    let split = vec![("v1".into(), 90), ("v2".into(), 10)];
    let failover = Balancing { mode: Mode::Failover, scopes: vec![Scope::Node], ..Balancing::default() };
    let maglev = Balancing { algorithm: Algorithm::Maglev, ..Balancing::default() };
    [
        plain(),
        Kind { name: "it drains", change: |_, one| one.health = Health::Draining, ..plain() },
        Kind { name: "another weight", change: |n, one| one.capacity = 2 + n % 3, ..plain() },
        Kind { name: "another address, failover", balancing: failover, ..plain() },
        Kind {
            name: "another address, a canary",
            balancing: Balancing { split, ..Balancing::default() },
            before: |n, one| one.revision = if n.is_multiple_of(10) { "v2" } else { "v1" }.into(),
            ..plain()
        },
        Kind { name: "another address, Maglev", balancing: maglev, ..plain() },
    ]
}

impl Kind {
    /// Of a service of 20, and of 10,000.
    fn measure(&self) -> Result<[Duration; 2]> {
        let sandbox = Sandbox::new()?;
        let cgroup = host::cgroup(Some(sandbox.pods_cgroup().path()))?;
        let pins = PinDir::new(sandbox.bpffs());
        let config = Config { sizes: room(SERVICES, ROOM), ..Config::new(pins, cgroup, sandbox.dir()) };
        let mut fleet = Fleet::new(SERVICES);
        for at in [0, SERVICES as usize] {
            let service =
                Service { balancing: self.balancing.clone(), ..Service::clone(&fleet.services[at]) };
            fleet.services[at] = Arc::new(service);
        }
        for (n, workload) in (0..).zip(&mut fleet.workloads) {
            (self.before)(n, Arc::make_mut(workload));
        }
        let mut now = fleet.snapshot()?;
        let (mut plane, _) = DataPlane::start(config, Some(&now))?;
        let mut one = |n: u32| -> Result<Duration> {
            let changes = fleet.change(n, |one| (self.change)(n, one));
            let (done, took) = timed(|| -> Result<()> {
                now = now.with(changes)?;
                plane.apply(&now)?;
                Ok(())
            });
            done?;
            plane.reclaim()?;
            Ok(took)
        };
        let of_few = median((0..ENDPOINTS_EACH - 1).map(&mut one))?;
        let of_many = median((0..CHANGES).map(|n| one(SERVICES * ENDPOINTS_EACH + n * 7)))?;
        drop(plane);
        sandbox.close()?;
        Ok([of_few, of_many])
    }
}
