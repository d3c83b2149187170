use std::{collections::HashMap, net::SocketAddr};

use evermesh_abi::{Address, Endpoint, Origin};
use netlink_packet_sock_diag::inet::SocketId;

use crate::{
    diag::{cookie_of, peer_of},
    origins::{at, is_connected},
};

/// Sockets that are connected through a service to somebody who is no member of it any more. Draining members are members.
/// They are TCP and UDP sockets alike: their origins do not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans(HashMap<u64, SocketAddr>);

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
        let mut served = HashMap::<Member, Vec<u64>>::new();
        for (cookie, origin) in origins.into_iter().filter(|(_, origin)| is_connected(origin)) {
            served.entry(Member::of_origin(&origin)).or_default().push(cookie);
        }
        for endpoint in endpoints {
            served.remove(&Member::of_endpoint(&endpoint));
        }
        let gone = |(member, cookies): (Member, Vec<u64>)| {
            let at = member.at();
            cookies.into_iter().map(move |cookie| (cookie, at))
        };
        Self(served.into_iter().flat_map(gone).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the socket is one of them. One that was connected elsewhere since its origin was read is not.
    pub fn contains(&self, socket: &SocketId) -> bool {
        self.0.get(&cookie_of(socket)) == Some(&peer_of(socket))
    }
}

impl Member {
    fn of_origin(origin: &Origin) -> Self {
        Self { service: origin.service, address: origin.backend, port: origin.backend_port }
    }

    fn of_endpoint(endpoint: &Endpoint) -> Self {
        Self { service: endpoint.service, address: endpoint.address, port: endpoint.port }
    }

    fn at(&self) -> SocketAddr {
        at(self.address, self.port)
    }
}

#[cfg(test)]
mod tests;
