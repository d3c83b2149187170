//! What is asked for and not done, and what becomes of traffic then.

use bytes::Bytes;
use evermesh_proto::workload::{
    self as wire, ApplicationTunnel, TunnelProtocol, WeightedWaypoint, application_tunnel,
    service::Visibility,
};

use super::*;
use crate::{
    Demand,
    samples::{self, of_service, of_workload, waypoint},
};

/// What is asked for, and whether traffic is withheld where that is refused.
fn asked(resource: &Resource) -> (Vec<Demand>, bool) {
    let warned = understand(&Conversion::default(), Kind::Address, resource).unwrap();
    assert!(!withheld(&warned), "where it is only told, traffic passes");
    let refusing = Conversion { on_unsupported: OnUnsupported::Refuse, ..Conversion::default() };
    let refused = understand(&refusing, Kind::Address, resource).unwrap();
    assert_eq!(warned.demands, refused.demands);
    (warned.demands.iter().collect(), withheld(&refused))
}

fn withheld(understood: &Understood) -> bool {
    match &understood.meaning {
        Meaning::Service(service) => service.withheld,
        Meaning::Workload { workload, .. } => workload.withheld,
        Meaning::Policy(_) => false,
    }
}

fn of_a_service(change: impl FnOnce(&mut wire::Service)) -> (Vec<Demand>, bool) {
    let mut service = samples::service("web", &[[10, 96, 0, 1]]);
    change(&mut service);
    asked(&of_service(service))
}

fn of_a_workload(change: impl FnOnce(&mut wire::Workload)) -> (Vec<Demand>, bool) {
    let mut workload = samples::workload("w1", [10, 0, 0, 1], &["web"]);
    change(&mut workload);
    asked(&of_workload(workload))
}

#[test]
fn nothing_is_asked_for() {
    assert_eq!(of_a_service(|_| ()), (vec![], false));
    assert_eq!(of_a_workload(|_| ()), (vec![], false));
    assert_eq!(of_a_workload(|it| it.native_tunnel = true), (vec![], false));
    assert_eq!(of_a_workload(|it| it.network_gateway = waypoint()), (vec![], false));
}

#[test]
fn a_waypoint_on_the_way_concerns_it() {
    let wanted = (vec![Demand::Waypoint], true);
    assert_eq!(of_a_service(|it| it.waypoint = waypoint()), wanted);
    let weighted = || WeightedWaypoint { destination: waypoint(), weight: 1 };
    assert_eq!(of_a_service(|it| it.weighted_waypoints = vec![weighted()]), wanted);
    assert_eq!(of_a_workload(|it| it.waypoint = waypoint()), wanted);
}

#[test]
fn policies_concern_the_way_and_strict_mtls_is_known_by_their_names() {
    let named = |names: &[&str]| {
        let names = names.iter().map(ToString::to_string).collect();
        of_a_workload(|it| it.authorization_policies = names)
    };
    let (strict, own) = (Demand::StrictMtls, Demand::Policy);
    assert_eq!(named(&["istio-system/istio_converted_static_strict"]), (vec![strict], true));
    assert_eq!(named(&["demo/converted_peer_authentication_strict"]), (vec![strict], true));
    assert_eq!(named(&["demo/only-web"]), (vec![own], true));
    assert_eq!(named(&["converted_peer_authentication_/only-web"]), (vec![own], true));
    let both = named(&["demo/only-web", "istio-system/istio_converted_static_strict"]);
    assert_eq!(both, (vec![strict, own], true));
}

#[test]
fn a_tunnel_that_is_possible_is_no_reason_to_refuse_and_one_that_must_be_is() {
    let tunnel = |protocol: i32| of_a_workload(|it| it.tunnel_protocol = protocol);
    assert_eq!(tunnel(TunnelProtocol::None.into()), (vec![], false));
    assert_eq!(tunnel(TunnelProtocol::Hbone.into()), (vec![Demand::Tunnel], false));
    assert_eq!(tunnel(TunnelProtocol::LegacyIstioMtls.into()), (vec![Demand::StrictMtls], true));
}

#[test]
fn a_tunnel_to_the_application_concerns_the_way_whichever_it_is() {
    let tunnel = |protocol: i32| {
        of_a_workload(|it| it.application_tunnel = Some(ApplicationTunnel { protocol, port: 15088 }))
    };
    assert_eq!(tunnel(application_tunnel::Protocol::None.into()), (vec![], false));
    assert_eq!(tunnel(application_tunnel::Protocol::Proxy.into()), (vec![Demand::ApplicationTunnel], true));
    assert_eq!(tunnel(99), (vec![Demand::ApplicationTunnel], true));
}

#[test]
fn visibility_does_not_concern_the_way() {
    let namespace = Visibility::Namespace.into();
    assert_eq!(of_a_service(|it| it.visibility = namespace), (vec![Demand::Visibility], false));
}

#[test]
fn a_range_of_addresses_is_left_alone_whichever_it_is() {
    let range = |address: &'static [u8], length| {
        of_a_service(|it| {
            let address = Bytes::from_static(address);
            it.addresses.push(wire::NetworkAddress { address, length: Some(length), ..Default::default() });
        })
    };
    let left_alone = (vec![Demand::Range], false);
    assert_eq!(range(&[10, 1, 0, 0], 16), left_alone);
    assert_eq!(range(&[0; 4], 0), left_alone);
    assert_eq!(range(&[224, 0, 0, 0], 4), left_alone);
    assert_eq!(range(&[0xfd; 16], 127), left_alone);
    let addresses = vec![wire::NetworkAddress {
        address: Bytes::from_static(&[10, 1, 0, 0]),
        length: Some(16),
        ..Default::default()
    }];
    let ranged = of_service(wire::Service { addresses, ..samples::service("web", &[]) });
    assert_eq!(service(&Conversion::default(), &ranged).vips, []);
}
