use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    net::SocketAddr,
    path::Path,
};

use evermesh_abi::Origin;
use evermesh_pins::{Enrolment, Inventory, PinDir};
use netlink_packet_sock_diag::inet::SocketId;

use crate::{
    Protocol, SocketsError,
    diag::{Diag, cookie_of, peer_of},
    namespace,
    origins::{self, at, is_connected},
};

/// Where sockets of enrolled pods lead.
#[derive(Debug, Default)]
pub struct Flows {
    /// How many sockets each flow has.
    pub sockets: BTreeMap<Flow, usize>,
    /// Pods that could not be looked into.
    pub unseen: Vec<SocketsError>,
}

/// Sockets of a pod that lead to the same place by the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// The name that the pod was enrolled under.
    pub pod: String,
    /// Of its sockets.
    pub protocol: Protocol,
    /// Which service led there; `None`: the application asked for this address itself.
    pub through: Option<Through>,
    /// Where they are connected to.
    pub peer: SocketAddr,
}

/// What a socket was led by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Through {
    /// What the application connected to.
    pub frontend: SocketAddr,
    /// The service's id at that time.
    pub service: u32,
    /// The endpoint's id at that time.
    pub endpoint: u32,
}

/// TCP sockets and connected UDP sockets of every enrolled pod that some process is in or that is mounted. Not those that were
/// accepted: they are the other ends of flows. An unconnected UDP socket leads nowhere in particular.
pub fn flows(pins: &PinDir) -> Result<Flows, SocketsError> {
    let pods: BTreeMap<_, _> =
        Enrolment::open(pins)?.list()?.into_iter().map(|pod| (pod.cookie, pod.name)).collect();
    let listed = namespace::visit(&pods.keys().copied().collect(), |pod, path| Ok((pod, list(path)?)))?;
    // Read afterwards, so that who was connected before has its origin.
    let origins = origins::standing(&Inventory::read(pins)?)?.into_iter().collect();
    let mut flows = Flows::default();
    for pod in listed {
        match pod.flatten() {
            Ok((cookie, sockets)) => flows.add(&pods[&cookie], &sockets, &origins),
            // So say all pods.
            Err(error @ SocketsError::Untold) => return Err(error),
            Err(error) => flows.unseen.push(error),
        }
    }
    Ok(flows)
}

impl Flows {
    fn add(&mut self, pod: &str, sockets: &[(Protocol, SocketId)], origins: &HashMap<u64, Origin>) {
        for (protocol, socket) in sockets {
            let (peer, origin) = (peer_of(socket), origins.get(&cookie_of(socket)));
            let through = origin.and_then(|origin| Through::of(origin, peer));
            let flow = Flow { pod: pod.to_owned(), protocol: *protocol, through, peer };
            *self.sockets.entry(flow).or_default() += 1;
        }
    }
}

impl Through {
    /// `None`: it speaks of another connection than the one to this peer, as after a `connect()` to elsewhere.
    fn of(origin: &Origin, peer: SocketAddr) -> Option<Self> {
        let leads_there = is_connected(origin) && at(origin.backend, origin.backend_port) == peer;
        leads_there.then(|| Self {
            frontend: at(origin.frontend, origin.frontend_port),
            service: origin.service,
            endpoint: origin.endpoint,
        })
    }
}

/// What is connected in the network namespace that the calling thread is in, and that was found at `path`.
fn list(path: &Path) -> Result<Vec<(Protocol, SocketId)>, SocketsError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::Unsupported => SocketsError::Untold,
        _ => SocketsError::Sockets { step: "list sockets", path: path.to_owned(), source },
    };
    let diag = Diag::open().map_err(failed)?;
    // Listed first: who listens when a connection comes, does so before.
    let listeners = diag.listening().map_err(failed)?;
    let tcp = diag.connected(Protocol::Tcp).map_err(failed)?;
    let udp = diag.connected(Protocol::Udp).map_err(failed)?;
    let tcp = without_accepted(tcp, &listeners).map(|socket| (Protocol::Tcp, socket));
    Ok(tcp.chain(udp.into_iter().map(|socket| (Protocol::Udp, socket))).collect())
}

/// A socket that was accepted has the port of one that listens, and nobody else may have it: a port that is listened on is
/// given to nobody who connects.
fn without_accepted(sockets: Vec<SocketId>, listeners: &[SocketId]) -> impl Iterator<Item = SocketId> {
    let ports: HashSet<u16> = listeners.iter().map(|listener| listener.source_port).collect();
    sockets.into_iter().filter(move |socket| !ports.contains(&socket.source_port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn socket(cookie: u64, port: u16, peer: &str) -> SocketId {
        SocketId { source_port: port, ..samples::socket(cookie, at(peer)) }
    }

    fn origin(frontend: &str, backend: &str) -> Origin {
        samples::origin(7, at(frontend), at(backend))
    }

    fn seen(
        sockets: &[(Protocol, SocketId)],
        origins: &[(u64, Origin)],
    ) -> Vec<(Option<SocketAddr>, SocketAddr, usize)> {
        let mut flows = Flows::default();
        flows.add("client", sockets, &origins.iter().copied().collect());
        let row = |(flow, count): (&Flow, &usize)| (flow.through.map(|it| it.frontend), flow.peer, *count);
        flows.sockets.iter().map(row).collect()
    }

    #[test]
    fn sockets_that_lead_the_same_way_are_counted_together() {
        let tcp = |cookie, peer| (Protocol::Tcp, socket(cookie, 40_000, peer));
        let sockets = [
            tcp(1, "10.244.0.11:8080"),
            tcp(2, "[::ffff:10.244.0.11]:8080"),
            tcp(3, "10.244.0.11:8080"),
            (Protocol::Udp, socket(4, 40_000, "[fd00:244::b]:53")),
        ];
        let led = origin("10.96.0.10:80", "10.244.0.11:8080");
        let origins = [(1, led), (2, led), (4, origin("[fd00:96::a]:53", "[fd00:244::b]:53"))];
        assert_eq!(
            seen(&sockets, &origins),
            [
                (None, at("10.244.0.11:8080"), 1),
                (Some(at("10.96.0.10:80")), at("10.244.0.11:8080"), 2),
                (Some(at("[fd00:96::a]:53")), at("[fd00:244::b]:53"), 1),
            ]
        );
    }

    #[test]
    fn an_origin_of_another_connection_says_nothing() {
        let sockets = [(Protocol::Udp, socket(1, 40_000, "10.244.0.12:53"))];
        let before = origin("10.96.0.10:53", "10.244.0.11:53");
        let unconnected = Origin { flags: 0, ..origin("10.96.0.10:53", "10.244.0.12:53") };
        for origin in [before, unconnected] {
            assert_eq!(seen(&sockets, &[(1, origin)]), [(None, at("10.244.0.12:53"), 1)]);
        }
    }

    #[test]
    fn what_was_accepted_is_the_other_end_of_a_flow() {
        let sockets = vec![socket(1, 8080, "10.244.0.1:40000"), socket(2, 40_001, "10.244.0.2:8080")];
        let listeners = [socket(3, 8080, "0.0.0.0:0")];
        let left: Vec<_> = without_accepted(sockets, &listeners).map(|socket| socket.source_port).collect();
        assert_eq!(left, [40_001]);
    }
}
