use std::collections::HashMap;

use evermesh_abi::{Address, Endpoint, FrontendKey, Origin, PROTOCOL_UDP};
use netlink_packet_sock_diag::inet::SocketId;

use crate::{
    diag::{cookie_of, peer_of},
    origins::{at, is_connected},
};

/// Sockets that are connected through a service to somebody who is no member of it any more. Draining members are members.
/// They are TCP and UDP sockets alike: their origins do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans(HashMap<u64, Origin>);

/// Who stands behind which service.
#[derive(PartialEq, Eq, Hash)]
struct Member {
    service: u32,
    address: Address,
    /// Network byte order.
    port: u16,
}

impl Orphans {
    /// By the origins, which are keyed by socket cookie, and what the endpoints' records said *afterwards*: a socket that
    /// was connected in between then has a record.
    pub fn among(
        origins: impl IntoIterator<Item = (u64, Origin)>,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Self {
        let mut served = HashMap::<Member, Vec<(u64, Origin)>>::new();
        for (cookie, origin) in origins.into_iter().filter(|(_, origin)| is_connected(origin)) {
            served.entry(Member::of_origin(&origin)).or_default().push((cookie, origin));
        }
        for endpoint in endpoints {
            served.remove(&Member::of_endpoint(&endpoint));
        }
        Self(served.into_values().flatten().collect())
    }

    /// Those among them whose endpoint is no member of the service either that has their virtual IP by now, if they are UDP sockets. It is
    /// the same service under another id where the tables of an earlier release could not be read.
    pub fn by_virtual_ip(
        self,
        services: &HashMap<FrontendKey, u32>,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Self {
        let asked_now = |(cookie, origin): (u64, Origin)| {
            let key = FrontendKey::new(origin.frontend, origin.frontend_port, PROTOCOL_UDP);
            (cookie, Origin { service: *services.get(&key).unwrap_or(&origin.service), ..origin })
        };
        Self::among(self.0.into_iter().map(asked_now), endpoints)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the socket is one of them. One that was connected elsewhere since its origin was read is not.
    pub fn contains(&self, socket: &SocketId) -> bool {
        let led_to = |origin: &Origin| at(origin.backend, origin.backend_port);
        self.0.get(&cookie_of(socket)).map(led_to) == Some(peer_of(socket))
    }
}

impl Member {
    fn of_origin(origin: &Origin) -> Self {
        Self { service: origin.service, address: origin.backend, port: origin.backend_port }
    }

    fn of_endpoint(endpoint: &Endpoint) -> Self {
        Self { service: endpoint.service, address: endpoint.address, port: endpoint.port }
    }
}

#[cfg(test)]
mod tests;
