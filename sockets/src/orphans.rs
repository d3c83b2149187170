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
pub struct Orphans(HashMap<u64, Led>);

/// How a socket was led, if it is a UDP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Led {
    by: FrontendKey,
    to: Member,
}

/// Who stands behind which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        let connected = origins.into_iter().filter(|(_, origin)| is_connected(origin));
        Self::left(connected.map(|(cookie, origin)| (cookie, Led::of_origin(&origin))), endpoints)
    }

    /// Those among them whose endpoint is no member of the service either that has their virtual IP by now. It is the same service under
    /// another id where the tables of an earlier release could not be read.
    pub fn by_virtual_ip(
        self,
        services: &HashMap<FrontendKey, u32>,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Self {
        let asked_now = |Led { by, to }| {
            let service = services.get(&by).copied().unwrap_or(to.service);
            Led { by, to: Member { service, ..to } }
        };
        Self::left(self.0.into_iter().map(|(cookie, led)| (cookie, asked_now(led))), endpoints)
    }

    fn left(
        sockets: impl Iterator<Item = (u64, Led)>,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> Self {
        let mut served = HashMap::<Member, Vec<(u64, Led)>>::new();
        for (cookie, led) in sockets {
            served.entry(led.to).or_default().push((cookie, led));
        }
        for endpoint in endpoints {
            served.remove(&Member::of_endpoint(&endpoint));
        }
        Self(served.into_values().flatten().collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the socket is one of them. One that was connected elsewhere since its origin was read is not.
    pub fn contains(&self, socket: &SocketId) -> bool {
        let led_to = |led: &Led| at(led.to.address, led.to.port);
        self.0.get(&cookie_of(socket)).map(led_to) == Some(peer_of(socket))
    }
}

impl Led {
    fn of_origin(origin: &Origin) -> Self {
        let by = FrontendKey::new(origin.frontend, origin.frontend_port, PROTOCOL_UDP);
        Self { by, to: Member::of_origin(origin) }
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
