use std::collections::BTreeMap;

use evermesh_model::{Algorithm, HealthPolicy, Mode, Passes, Port, Protocol, Scope, Service, SmolStr};

use super::{PORTS, What, key, pick};

pub(super) fn new(n: u8) -> Service {
    let port = Port::new(8080, vec![Protocol::Tcp, Protocol::Udp]);
    Service {
        name: format!("s{n}").into(),
        key: key(n),
        ports: BTreeMap::from([(80, port)]),
        ..Service::default()
    }
}

/// Maglev's tables are large, so only the first service may have one, now and then.
pub(super) fn change(service: &mut Service, what: What, n: u8, number: u32) {
    let balancing = &mut service.balancing;
    match what {
        What::Ports => service.ports = ports(number),
        What::Algorithm if n == 0 && number.is_multiple_of(8) => balancing.algorithm = Algorithm::Maglev,
        What::Algorithm => balancing.algorithm = pick(&[Algorithm::Random, Algorithm::RoundRobin], number),
        What::Mode => {
            let modes = [Mode::Standard, Mode::Strict, Mode::Failover, Mode::Failover, Mode::Passthrough];
            balancing.mode = pick(&modes, number);
            balancing.scopes = scopes(number / 8);
        }
        What::HealthPolicy => {
            let all = [HealthPolicy::OnlyHealthy, HealthPolicy::PreferHealthy, HealthPolicy::AllowAll];
            balancing.health_policy = pick(&all, number);
            service.withheld = pick(&[false, false, false, true], number >> 8);
        }
        _ => balancing.split = split(number),
    }
}

fn ports(number: u32) -> BTreeMap<u16, Port> {
    let protocols = [vec![Protocol::Tcp], vec![Protocol::Udp], vec![Protocol::Tcp, Protocol::Udp]];
    use Passes::{Always, Never, Untargeted};
    let port = |n: u8| {
        let number = number >> (8 * n);
        let target_port = pick(&[8080, 8081, 0, 0], number >> 2);
        let passes = pick(&[Never, Never, Untargeted, Untargeted, Untargeted, Always], number >> 6);
        let offer = Port { passes, ..Port::new(target_port, pick(&protocols, number >> 4)) };
        (number & 3 > 0).then_some((PORTS[usize::from(n)], offer))
    };
    [0, 1].into_iter().filter_map(port).collect()
}

fn scopes(number: u32) -> Vec<Scope> {
    use Scope::{Cluster, Network, Node, Region, Subzone, Zone};
    let all = [
        vec![],
        vec![Node],
        vec![Network, Region, Zone, Subzone],
        vec![Region, Zone],
        vec![Zone, Region],
        vec![Cluster, Node],
    ];
    pick(&all, number)
}

fn split(number: u32) -> Vec<(SmolStr, u32)> {
    let all: [&[(&str, u32)]; 8] = [
        &[],
        &[],
        &[("v1", 90), ("v2", 10)],
        &[("v1", 99), ("v2", 1)],
        &[("v1", 1), ("v2", 0), ("", 2)],
        &[("v2", 1)],
        &[("v1", u32::MAX), ("v2", 7)],
        &[("v1", 333), ("v2", 333), ("", 334)],
    ];
    pick(&all, number).iter().map(|(revision, share)| ((*revision).into(), *share)).collect()
}
