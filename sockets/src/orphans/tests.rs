use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use evermesh_abi::{ORIGIN_CONNECTED, ORIGIN_REVISION, PROTOCOL_TCP};
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::samples;

const SERVICE: u32 = 7;

fn backend(host: u8) -> IpAddr {
    IpAddr::from([10, 244, 0, host])
}

fn origin(service: u32, backend: IpAddr, port: u16) -> Origin {
    samples::origin(service, SocketAddr::from(([10, 96, 0, 10], 80)), SocketAddr::new(backend, port))
}

fn endpoint(service: u32, address: IpAddr, port: u16) -> Endpoint {
    Endpoint { address: Address::from(address), port: port.to_be(), flags: 0, service, workload: 1 }
}

fn socket(cookie: u64, peer: IpAddr, port: u16) -> SocketId {
    samples::socket(cookie, SocketAddr::new(peer, port))
}

fn orphans(origin: Origin, endpoints: &[Endpoint]) -> Orphans {
    Orphans::among([(1, origin)], endpoints.iter().copied())
}

#[test]
fn a_socket_whose_endpoint_is_gone_is_one() {
    let left = orphans(origin(SERVICE, backend(1), 8080), &[endpoint(SERVICE, backend(2), 8080)]);
    assert!(left.contains(&socket(1, backend(1), 8080)));
}

#[test]
fn a_socket_of_a_member_is_none() {
    let left = orphans(origin(SERVICE, backend(1), 8080), &[endpoint(SERVICE, backend(1), 8080)]);
    assert!(left.is_empty());
}

#[test]
fn membership_is_of_one_service_at_one_address_and_port() {
    for other in [
        endpoint(SERVICE + 1, backend(1), 8080),
        endpoint(0, backend(1), 8080),
        endpoint(SERVICE, backend(1), 8081),
    ] {
        let left = orphans(origin(SERVICE, backend(1), 8080), &[other]);
        assert!(left.contains(&socket(1, backend(1), 8080)), "{other:?}");
    }
}

/// Of those that are left by their ids, who is left by virtual IPs that lead to these services, for these members.
fn by_virtual_ip(services: &[(u16, u8, u32)], endpoints: &[Endpoint]) -> Orphans {
    let key = |port: u16, protocol| {
        FrontendKey::new(Address::from(IpAddr::from([10, 96, 0, 10])), port.to_be(), protocol)
    };
    let services = services.iter().map(|&(port, protocol, id)| (key(port, protocol), id)).collect();
    orphans(origin(SERVICE, backend(1), 8080), &[]).by_virtual_ip(&services, endpoints.iter().copied())
}

#[test]
fn a_socket_whose_service_has_another_id_by_now_is_none() {
    let left = by_virtual_ip(&[(80, PROTOCOL_UDP, 9)], &[endpoint(9, backend(1), 8080)]);
    assert!(left.is_empty());
}

#[test]
fn a_socket_whose_endpoint_is_gone_is_one_by_whatever_id() {
    let member = endpoint(9, backend(1), 8080);
    for (services, endpoints) in [
        (vec![], vec![]),
        (vec![], vec![member]),
        (vec![(80, PROTOCOL_TCP, 9)], vec![member]),
        (vec![(81, PROTOCOL_UDP, 9)], vec![member]),
        (vec![(80, PROTOCOL_UDP, SERVICE)], vec![member]),
        (vec![(80, PROTOCOL_UDP, 9)], vec![endpoint(9, backend(2), 8080)]),
    ] {
        let left = by_virtual_ip(&services, &endpoints);
        assert!(left.contains(&socket(1, backend(1), 8080)), "{services:?} {endpoints:?}");
    }
}

#[test]
fn a_socket_with_another_cookie_is_none() {
    let left = orphans(origin(SERVICE, backend(1), 8080), &[]);
    assert!(!left.contains(&socket(2, backend(1), 8080)));
    assert!(!left.contains(&socket(1 << 32, backend(1), 8080)));
}

#[test]
fn a_socket_that_goes_elsewhere_by_now_is_none() {
    let left = orphans(origin(SERVICE, backend(1), 8080), &[]);
    assert!(!left.contains(&socket(1, backend(2), 8080)));
    assert!(!left.contains(&socket(1, backend(1), 8081)));
}

#[test]
fn an_ipv6_socket_to_a_v4_mapped_peer_is_recognised() {
    let IpAddr::V4(v4) = backend(1) else { unreachable!() };
    let left = orphans(origin(SERVICE, backend(1), 8080), &[]);
    assert!(left.contains(&socket(1, v4.to_ipv6_mapped().into(), 8080)));
}

#[test]
fn an_ipv6_socket_is_recognised_and_a_whole_cookie_compared() {
    let peer = IpAddr::from(Ipv6Addr::new(0xfd00, 0x244, 0, 0, 0, 0, 0, 0xb));
    let cookie = 3 << 32 | 9;
    let left = Orphans::among([(cookie, origin(SERVICE, peer, 8080))], []);
    assert!(left.contains(&socket(cookie, peer, 8080)));
    assert!(!left.contains(&socket(9, peer, 8080)));
}

#[test]
fn origins_that_are_not_connected_or_not_understood_are_left_alone() {
    let base = origin(SERVICE, backend(1), 8080);
    for other in [Origin { flags: 0, ..base }, Origin { revision: ORIGIN_REVISION + 1, ..base }] {
        assert!(orphans(other, &[]).is_empty(), "{other:?}");
    }
}

/// Few of each, so that they meet.
fn members() -> impl Strategy<Value = (u32, IpAddr, u16)> {
    (1u32..4, (1u8..4).prop_map(backend), 8080u16..8082)
}

proptest! {
    #[test]
    fn exactly_the_sockets_of_former_members_are_orphans(
        connected in vec((members(), any::<bool>()), 0..20),
        standing in vec(members(), 0..20),
    ) {
        let origins = connected.iter().zip(1u64..).map(|(&((service, at, port), is_connected), cookie)| {
            let flags = if is_connected { ORIGIN_CONNECTED } else { 0 };
            (cookie, Origin { flags, ..origin(service, at, port) })
        });
        let records = standing.iter().map(|&(service, at, port)| endpoint(service, at, port));
        let orphans = Orphans::among(origins, records);
        for (&(member, is_connected), cookie) in connected.iter().zip(1u64..) {
            let (_, at, port) = member;
            let expected = is_connected && !standing.contains(&member);
            prop_assert_eq!(orphans.contains(&socket(cookie, at, port)), expected);
        }
    }
}
