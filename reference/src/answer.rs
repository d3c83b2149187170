use std::net::IpAddr;

use evermesh_model::{
    Algorithm, Balancing, Mode, Passes, Place, Port, Protocol, Service, Snapshot, Workload,
};

use crate::{Ratio, choice};

/// What becomes of a new flow.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<'a> {
    /// It goes where it was going: this is no destination of the mesh.
    LeftAlone,
    /// It is refused at once.
    Refused,
    /// It is led to one of these, of which there is at least one.
    Led {
        /// How one is taken.
        algorithm: Algorithm,
        /// By uid.
        endpoints: Vec<Endpoint<'a>>,
    },
}

/// A workload that may be taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Endpoint<'a> {
    /// Who.
    pub workload: &'a Workload,
    /// Where it is reached.
    pub address: IpAddr,
    /// Where it listens.
    pub port: u16,
    /// The part of the flows that its revision takes; all, where nothing is split.
    pub revision: Ratio,
    /// Its own part of the flows; more than 0.
    pub share: Ratio,
}

/// What becomes of a new flow to this address and port, from a pod of a node at this place.
pub fn answer<'a>(
    snapshot: &'a Snapshot,
    place: &Place,
    address: IpAddr,
    port: u16,
    protocol: Protocol,
) -> Answer<'a> {
    let Some(service) = snapshot.services().find(|service| is_balanced_at(service, address)) else {
        return Answer::LeftAlone;
    };
    match service.ports.get(&port) {
        Some(offer) if offer.protocols.contains(&protocol) && passes(snapshot, service, port, offer) => {
            Answer::LeftAlone
        }
        Some(offer) if offer.protocols.contains(&protocol) => {
            let able = able(snapshot, service, port, offer, address.is_ipv4());
            led(&service.balancing, choice::choose(&service.balancing, place, able))
        }
        _ => Answer::Refused,
    }
}

fn is_balanced_at(service: &Service, address: IpAddr) -> bool {
    let is_here = service.vips.iter().any(|vip| vip.network.is_empty() && vip.address == address);
    is_here && service.balancing.mode != Mode::Passthrough
}

/// Whether it cannot be told where flows to the port should go, and nobody forbids that they go there unseen.
fn passes(snapshot: &Snapshot, service: &Service, port: u16, offer: &Port) -> bool {
    let behind = || snapshot.workloads().filter(|workload| workload.services.contains_key(&service.key));
    let names_target = |workload: &Workload| workload.services[&service.key].contains_key(&port);
    let is_told = match offer.passes {
        Passes::Never => true,
        Passes::Untargeted => offer.target_port != 0 || behind().any(|workload| names_target(workload)),
        Passes::Always => false,
    };
    !is_told && !service.withheld && behind().all(|workload| !workload.withheld)
}

fn led<'a>(balancing: &Balancing, chosen: Vec<choice::Able<'a>>) -> Answer<'a> {
    let endpoint = |&(workload, (address, port)): &choice::Able<'a>| {
        let revision = choice::share_of_all(balancing, &chosen, workload);
        let share = revision * choice::share_among_peers(balancing, &chosen, workload);
        Endpoint { workload, address, port, revision, share }
    };
    match chosen.as_slice() {
        [] => Answer::Refused,
        some => {
            Answer::Led { algorithm: balancing.algorithm, endpoints: some.iter().map(endpoint).collect() }
        }
    }
}

/// Who stands behind the port and may and can be reached: over the family of the virtual IP, and without a gateway.
fn able<'a>(
    snapshot: &'a Snapshot,
    service: &Service,
    port: u16,
    offer: &Port,
    ipv4: bool,
) -> Vec<choice::Able<'a>> {
    let mut able = Vec::new();
    if offer.passes == Passes::Always {
        return able;
    }
    for workload in snapshot.workloads() {
        let Some(deviations) = workload.services.get(&service.key) else { continue };
        let address = workload.addresses.iter().find(|address| address.is_ipv4() == ipv4);
        let target = deviations.get(&port).copied().unwrap_or(offer.target_port);
        let led_to = workload.network.is_empty() && !workload.withheld && !service.withheld;
        if let (Some(&address), true, true) = (address, target != 0, led_to) {
            able.push((workload.as_ref(), (address, target)));
        }
    }
    able
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use evermesh_model::{Health, HealthPolicy, Locality, Scope, ServiceKey, VirtualIp, WorkloadUid};

    use super::*;

    const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 96, 0, 10));

    fn service(balancing: Balancing) -> Service {
        let key = ServiceKey { namespace: "demo".into(), hostname: "web".into() };
        let vips = vec![VirtualIp { network: String::new().into(), address: VIP }];
        let port = Port::new(8080, vec![Protocol::Tcp]);
        Service { key, vips, ports: BTreeMap::from([(80, port)]), balancing, ..Service::default() }
    }

    fn workload(n: u8, revision: &str, zone: &str) -> Workload {
        Workload {
            uid: WorkloadUid::new(n.to_string()),
            addresses: vec![IpAddr::from([10, 244, 0, n])].into(),
            locality: Locality { zone: zone.into(), ..Locality::default() }.into(),
            revision: revision.into(),
            services: [(service(Balancing::default()).key, BTreeMap::new())].into(),
            ..Workload::default()
        }
    }

    /// (uid, part, whole) of each endpoint.
    fn shares(balancing: Balancing, zone: &str, workloads: &[Workload]) -> Vec<(String, u128, u128)> {
        let snapshot = Snapshot::new([service(balancing)], workloads.to_vec(), []).unwrap();
        let locality = Locality { zone: zone.into(), ..Locality::default() };
        match answer(&snapshot, &Place { locality, ..Place::default() }, VIP, 80, Protocol::Tcp) {
            Answer::Led { endpoints, .. } => {
                endpoints.iter().map(|e| (e.workload.uid.to_string(), e.share.part, e.share.whole)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn what_is_not_offered_is_refused_and_what_is_not_known_left_alone() {
        let passthrough = Balancing { mode: Mode::Passthrough, ..Balancing::default() };
        let [mesh, left] = [Balancing::default(), passthrough]
            .map(|balancing| Snapshot::new([service(balancing)], [], []).unwrap());
        let ask = |mesh, address, port| answer(mesh, &Place::default(), address, port, Protocol::Tcp);
        assert_eq!(ask(&mesh, VIP, 80), Answer::Refused);
        assert_eq!(ask(&mesh, VIP, 81), Answer::Refused);
        assert_eq!(ask(&mesh, IpAddr::from([10, 96, 0, 11]), 80), Answer::LeftAlone);
        assert_eq!(ask(&left, VIP, 80), Answer::LeftAlone);
    }

    #[test]
    fn a_port_of_unknown_targets_is_left_alone_until_somebody_names_one() {
        let ask = |passes, target_port, workloads: &[Workload], withheld| {
            let mut service = Service { withheld, ..service(Balancing::default()) };
            service.ports.insert(80, Port { passes, ..Port::new(target_port, vec![Protocol::Udp]) });
            let mesh = Snapshot::new([service], workloads.to_vec(), []).unwrap();
            match answer(&mesh, &Place::default(), VIP, 80, Protocol::Udp) {
                Answer::LeftAlone => "left alone",
                Answer::Refused => "refused",
                Answer::Led { .. } => "led",
            }
        };
        let targets = |target| [(service(Balancing::default()).key, BTreeMap::from([(80, target)]))];
        let silent = workload(1, "", "");
        let named = Workload { services: targets(5353).into(), ..workload(2, "", "") };
        let ill = Workload { health: Health::Unhealthy, ..named.clone() };
        let withheld = Workload { withheld: true, ..workload(3, "", "") };
        use Passes::{Always, Never, Untargeted};
        for (passes, target, workloads, expected) in [
            (Untargeted, 0, vec![], "left alone"),
            (Untargeted, 0, vec![silent.clone()], "left alone"),
            (Untargeted, 0, vec![silent.clone(), named.clone()], "led"),
            (Untargeted, 0, vec![silent.clone(), ill], "refused"),
            (Untargeted, 0, vec![silent.clone(), withheld.clone()], "refused"),
            (Untargeted, 8080, vec![], "refused"),
            (Never, 0, vec![silent.clone()], "refused"),
            (Always, 8080, vec![silent.clone(), named], "left alone"),
            (Always, 8080, vec![silent, withheld], "refused"),
        ] {
            assert_eq!(ask(passes, target, &workloads, false), expected, "{passes:?} {target} {workloads:?}");
            assert_ne!(ask(passes, target, &workloads, true), "left alone", "{passes:?} withheld");
        }
    }

    #[test]
    fn a_canary_gets_its_share_however_many_it_is() {
        let split = vec![("v1".into(), 90), ("v2".into(), 10)];
        let balancing = Balancing { split, ..Balancing::default() };
        let all =
            [workload(1, "v1", ""), workload(2, "v1", ""), workload(3, "v2", ""), workload(4, "v3", "")];
        let expected = [("1", 9, 20), ("2", 9, 20), ("3", 1, 10)].map(|(n, a, b)| (n.to_owned(), a, b));
        assert_eq!(shares(balancing.clone(), "", &all), expected);
        assert_eq!(shares(balancing, "", &all[..2]), [("1".to_owned(), 1, 2), ("2".to_owned(), 1, 2)]);
    }

    #[test]
    fn the_nearest_are_taken() {
        let all = [workload(1, "", "z1"), workload(2, "", "z2")];
        let mode = |mode| Balancing { mode, scopes: vec![Scope::Zone], ..Balancing::default() };
        assert_eq!(shares(mode(Mode::Failover), "z2", &all), [("2".to_owned(), 1, 1)]);
        assert_eq!(shares(mode(Mode::Failover), "z3", &all).len(), 2);
        assert_eq!(shares(mode(Mode::Strict), "z3", &all), []);
    }

    #[test]
    fn who_is_healthy_elsewhere_takes_nothing_from_who_is_here_where_only_those_may_be_taken() {
        let ill = Workload { health: Health::Unhealthy, ..workload(1, "", "z1") };
        let all = [ill, workload(2, "", "z2")];
        let mode = |mode| Balancing {
            mode,
            scopes: vec![Scope::Zone],
            health_policy: HealthPolicy::PreferHealthy,
            ..Balancing::default()
        };
        assert_eq!(shares(mode(Mode::Strict), "z1", &all), [("1".to_owned(), 1, 1)]);
        assert_eq!(shares(mode(Mode::Failover), "z1", &all), [("2".to_owned(), 1, 1)]);
    }
}
