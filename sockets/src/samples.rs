//! Sockets and origins made by hand.

use std::net::SocketAddr;

use evermesh_abi::{Address, ORIGIN_CONNECTED, ORIGIN_REVISION, Origin};
use netlink_packet_sock_diag::inet::SocketId;

/// One that was led from the virtual IP to the backend, by endpoint 1.
pub fn origin(service: u32, frontend: SocketAddr, backend: SocketAddr) -> Origin {
    Origin {
        revision: ORIGIN_REVISION,
        flags: ORIGIN_CONNECTED,
        frontend_port: frontend.port().to_be(),
        backend_port: backend.port().to_be(),
        frontend: Address::from(frontend.ip()),
        backend: Address::from(backend.ip()),
        service,
        endpoint: 1,
        udp_origins: 0,
        reserve: [0; 5],
    }
}

/// From port 4000 to the peer.
pub fn socket(cookie: u64, peer: SocketAddr) -> SocketId {
    let any = if peer.is_ipv4() { SocketId::new_v4() } else { SocketId::new_v6() };
    let words = [cookie & u64::from(u32::MAX), cookie >> 32];
    let bytes = words.map(|word| u32::try_from(word).unwrap().to_ne_bytes()).concat();
    let (cookie, destination_port, destination_address) = (bytes.try_into().unwrap(), peer.port(), peer.ip());
    SocketId { source_port: 4000, destination_port, destination_address, cookie, ..any }
}
