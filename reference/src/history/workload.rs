use std::{collections::BTreeMap, net::IpAddr};

use evermesh_model::{Health, Locality, ServiceKey, Workload, WorkloadUid};

use super::{NODE, PORTS, SERVICES, What, address, bit, key, pick};

/// With some memberships.
pub(super) fn new(n: u8, number: u32) -> Workload {
    Workload {
        uid: WorkloadUid::new(format!("demo/w{n}")),
        addresses: vec![address(n, true), address(n, false)].into(),
        services: memberships(number).into(),
        ..Workload::default()
    }
}

pub(super) fn change(workload: &mut Workload, what: What, n: u8, number: u32) {
    match what {
        What::Health => {
            let all = [Health::Healthy, Health::Healthy, Health::Unhealthy, Health::Draining];
            workload.health = pick(&all, number);
        }
        What::Capacity => {
            workload.capacity = pick(&[1, 1, 1, 1, 2, 3, 3, 10, 0, 100, 1009, u32::MAX], number);
        }
        What::Locality => move_to(workload, number),
        What::Revision => workload.revision = pick(&["", "v1", "v1", "v2", "v3"], number).into(),
        What::Membership => workload.services = memberships(number).into(),
        What::Network => {
            workload.network = pick(&["", "", "elsewhere"], number).into();
            workload.withheld = pick(&[false, false, false, true], number >> 8);
        }
        _ => workload.addresses = addresses(n, number).into(),
    }
}

fn move_to(workload: &mut Workload, number: u32) {
    let name = |names: [&str; 3], shift: u32| pick(&names, number >> shift).to_owned();
    workload.node = name([NODE, "node-2", ""], 0).into();
    workload.cluster = name(["c1", "c2", ""], 4).into();
    workload.locality = Locality {
        region: name(["r1", "r1", ""], 8).into(),
        zone: name(["z1", "z2", ""], 12).into(),
        subzone: name(["s1", "s2", ""], 16).into(),
    }
    .into();
}

fn memberships(number: u32) -> BTreeMap<ServiceKey, BTreeMap<u16, u16>> {
    let own = |n: u8| {
        let number = number >> (4 * n);
        let ports = PORTS.into_iter().filter(|port| bit(number >> 1, (*port == 80).into()));
        (number & 3 > 0).then(|| (key(n), ports.map(|port| (port, pick(&[8080, 9090], number))).collect()))
    };
    (0..SERVICES).filter_map(own).collect()
}

/// Of both families or of one, or another's, as on the network of the host; and more than one.
fn addresses(n: u8, number: u32) -> Vec<IpAddr> {
    match number % 8 {
        0 => Vec::new(),
        1 => vec![address(n, true)],
        2 => vec![address(n, false)],
        3 => vec![address(n ^ 1, true), address(n ^ 1, false)],
        4 => vec![address(n, false), address(n + 100, true), address(n, true)],
        _ => vec![address(n, true), address(n, false)],
    }
}
