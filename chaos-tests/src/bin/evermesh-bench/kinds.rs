//! What one change costs, by what changes and how its service is balanced.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    thread,
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
/// Maglev's tables stand twice while they change, and so does what is rounded.
const ROOM: u32 = 200_000;
/// So many data planes are begun with, since each has one first change only.
const PLANES: usize = 5;
/// In which a processor goes to sleep, and forgets.
const REST: Duration = Duration::from_millis(10);
const HEADER: [&str; 5] =
    ["one change", "of 20 us", "of 10,000 us", "first of 10,000 us", "of 10,000 after a rest us"];

/// How services are balanced, and what changes in one of their workloads.
#[derive(Clone)]
struct Kind {
    name: &'static str,
    balancing: Balancing,
    before: fn(u32, &mut Workload),
    change: fn(u32, &mut Workload),
}

/// One row for each kind.
pub fn measure() -> Result<String> {
    let row = |kind: &Kind| -> Result<Vec<String>> {
        let planes = (0..PLANES).map(|_| kind.measure()).collect::<Result<Vec<_>>>()?;
        let figure = |at: usize| median(planes.iter().map(|plane| Ok(plane[at]))).map(us);
        [Ok(kind.name.to_owned())].into_iter().chain((0..COLUMNS).map(figure)).collect()
    };
    Ok(table(HEADER, 1, kinds().iter().map(row).collect::<Result<Vec<_>>>()?).to_string())
}

const COLUMNS: usize = HEADER.len() - 1;

fn kinds() -> Vec<Kind> {
    let plain = Kind {
        name: "another address",
        balancing: Balancing::default(),
        before: |_, _| (),
        change: |n, one| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + n));
            one.addresses = [address].into_iter().collect();
        },
    };
    let drains = Kind { name: "it drains", change: |_, one| one.health = Health::Draining, ..plain.clone() };
    let weighs = Kind { name: "another weight", change: |n, one| one.capacity = 2 + n % 3, ..plain.clone() };
    let failover = Balancing { mode: Mode::Failover, scopes: vec![Scope::Node], ..Balancing::default() };
    let split = vec![("v1".into(), 90), ("v2".into(), 10)];
    let canary = Kind {
        name: "another address, a canary",
        balancing: Balancing { split, ..Balancing::default() },
        before: |n, one| one.revision = if n.is_multiple_of(10) { "v2" } else { "v1" }.into(),
        ..plain.clone()
    };
    let of = |algorithm| Balancing { algorithm, ..Balancing::default() };
    vec![
        plain.clone(),
        drains.clone(),
        weighs.clone(),
        Kind { name: "another address, failover", balancing: failover.clone(), ..plain.clone() },
        Kind {
            name: "it is unhealthy, failover",
            balancing: failover,
            change: |_, one| one.health = Health::Unhealthy,
            ..plain.clone()
        },
        canary.clone(),
        Kind { name: "it drains, a canary", change: drains.change, ..canary },
        Kind {
            name: "another address, seven odd weights",
            before: |n, one| one.capacity = 1009 + 101 * (n % 7),
            ..plain.clone()
        },
        Kind { name: "another weight, round robin", balancing: of(Algorithm::RoundRobin), ..weighs },
        Kind { name: "another address, Maglev", balancing: of(Algorithm::Maglev), ..plain },
    ]
}

impl Kind {
    /// By column.
    fn measure(&self) -> Result<[Duration; COLUMNS]> {
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
        let mut one = |plane: &mut DataPlane, n: u32| -> Result<Duration> {
            let changes = fleet.change(n, |one| (self.change)(n, one));
            let (done, took) = timed(|| -> Result<()> {
                now = now.with(changes)?;
                plane.apply(&now)?;
                Ok(())
            });
            done.map(|()| took)
        };
        let in_many = |n: u32| SERVICES * ENDPOINTS_EACH + n * 7;
        let of_few = median((0..ENDPOINTS_EACH - 1).map(|n| one(&mut plane, n)))?;
        plane.reclaim()?;
        let first = one(&mut plane, in_many(0))?;
        let of_many = median((1..CHANGES).map(|n| one(&mut plane, in_many(n))))?;
        plane.reclaim()?;
        let after_rest = median((CHANGES..CHANGES + 20).map(|n| {
            thread::sleep(REST);
            one(&mut plane, in_many(n))
        }))?;
        drop(plane);
        sandbox.close()?;
        Ok([of_few, of_many, first, after_rest])
    }
}
