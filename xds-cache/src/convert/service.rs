use std::collections::{BTreeMap, btree_map::Entry};

use evermesh_model::{
    Balancing, HealthPolicy, Mode, Passes, Port, Protocol, Scope, Service, ServiceKey, VirtualIp,
};
use evermesh_proto::workload::{self as wire, load_balancing, service::Visibility};

use super::{
    Conversion, InvalidResource, Meaning, Understood,
    address::{bits, ip, port, usable},
    invalid::{unknown, wrong},
};
use crate::demand::{Demand, Demands};

/// The workload API does not say which transport a port is of.
const BOTH: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

impl Conversion {
    pub(super) fn service(&self, service: wire::Service) -> Result<Understood, InvalidResource> {
        let wire::Service {
            name,
            namespace,
            hostname,
            addresses,
            ports,
            waypoint,
            load_balancing,
            weighted_waypoints,
            visibility,
            // Who a server says that it is, for TLS that is not spoken here.
            subject_alt_names: _,
            // Which families its addresses are of can be seen.
            ip_families: _,
            // For gateways, which are other nodes' business.
            ingress_use_waypoint: _,
            // Which of two services of one name a resolver prefers.
            canonical: _,
            extensions: _,
        } = service;
        let key = ServiceKey { namespace: namespace.into(), hostname: hostname.into() };
        let (vips, ranges) = self.vips(addresses)?;
        let demands = Demands::default()
            .with(Demand::Waypoint, waypoint.is_some() || !weighted_waypoints.is_empty())
            .with(Demand::Visibility, visibility == i32::from(Visibility::Namespace))
            .with(Demand::Range, ranges);
        let service = Service {
            name: name.into(),
            key,
            vips,
            ports: offers(ports)?,
            balancing: load_balancing.map(balancing).transpose()?.unwrap_or_default(),
            withheld: self.withholds(demands),
        };
        Ok(Understood { meaning: Meaning::Service(service), demands })
    }

    /// Each virtual IP once, and whether there are ranges besides.
    fn vips(&self, addresses: Vec<wire::NetworkAddress>) -> Result<(Vec<VirtualIp>, bool), InvalidResource> {
        let (mut vips, mut ranges) = (Vec::with_capacity(addresses.len()), false);
        for wire::NetworkAddress { network, address: bytes, length } in addresses {
            // Traffic to a range is left alone, whichever it is.
            let address = ip("addresses.address", &bytes)?;
            match length {
                Some(length) if length > bits(address) => {
                    return Err(wrong("addresses.length", format!("{address} has no {length} bits")));
                }
                Some(length) if length < bits(address) => ranges = true,
                _ => {
                    let address = usable("addresses.address", &bytes)?;
                    let vip = VirtualIp { network: self.network(network), address };
                    if !vips.contains(&vip) {
                        vips.push(vip);
                    }
                }
            }
        }
        Ok((vips, ranges))
    }
}

/// A service has a port number twice where it is offered over both transports. Which entry is for which is not said: that
/// does not matter only where they agree on a target port.
fn offers(ports: Vec<wire::Port>) -> Result<BTreeMap<u16, Port>, InvalidResource> {
    let mut offers = BTreeMap::new();
    for wire::Port { service_port, target_port, app_protocol: _ } in ports {
        let target_port = match target_port {
            // Each workload says what the name stands for.
            0 => 0,
            number => port("ports.target_port", number)?,
        };
        let passes = if target_port == 0 { Passes::Untargeted } else { Passes::Never };
        let offer = Port { passes, ..Port::new(target_port, BOTH.to_vec()) };
        match offers.entry(port("ports.service_port", service_port)?) {
            Entry::Vacant(place) => drop(place.insert(offer)),
            Entry::Occupied(same) if *same.get() == offer && target_port != 0 => {}
            Entry::Occupied(mut other) => other.get_mut().passes = Passes::Always,
        }
    }
    Ok(offers)
}

fn balancing(load_balancing: wire::LoadBalancing) -> Result<Balancing, InvalidResource> {
    let wire::LoadBalancing { routing_preference, mode, health_policy } = load_balancing;
    let mode = match load_balancing::Mode::try_from(mode) {
        Ok(load_balancing::Mode::UnspecifiedMode) => Mode::Standard,
        Ok(load_balancing::Mode::Strict) => Mode::Strict,
        Ok(load_balancing::Mode::Failover) => Mode::Failover,
        Ok(load_balancing::Mode::Passthrough) => Mode::Passthrough,
        Err(_) => return Err(unknown("load_balancing.mode", mode)),
    };
    let health_policy = match load_balancing::HealthPolicy::try_from(health_policy) {
        Ok(load_balancing::HealthPolicy::OnlyHealthy) => HealthPolicy::OnlyHealthy,
        Ok(load_balancing::HealthPolicy::AllowAll) => HealthPolicy::AllowAll,
        Err(_) => return Err(unknown("load_balancing.health_policy", health_policy)),
    };
    let scopes = routing_preference.into_iter().map(scope).collect::<Result<_, _>>()?;
    Ok(Balancing { mode, health_policy, scopes, ..Balancing::default() })
}

fn scope(scope: i32) -> Result<Scope, InvalidResource> {
    use load_balancing::Scope as Wire;
    match Wire::try_from(scope) {
        Ok(Wire::Region) => Ok(Scope::Region),
        Ok(Wire::Zone) => Ok(Scope::Zone),
        Ok(Wire::Subzone) => Ok(Scope::Subzone),
        Ok(Wire::Node) => Ok(Scope::Node),
        Ok(Wire::Cluster) => Ok(Scope::Cluster),
        Ok(Wire::Network) => Ok(Scope::Network),
        Ok(Wire::UnspecifiedScope) => {
            Err(wrong("load_balancing.routing_preference", format!("{scope} names no scope")))
        }
        Err(_) => Err(unknown("load_balancing.routing_preference", scope)),
    }
}
