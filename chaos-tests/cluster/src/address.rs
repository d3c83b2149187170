//! Addresses are the same in every cluster: each lies in namespaces of its own.

use std::net::Ipv4Addr;

/// The API server, and the nodes' way to whatever they have no route to.
pub(crate) const CONTROL_PLANE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// Its port.
pub(crate) const API_PORT: u16 = 6443;
/// Prefix length of the network that all nodes are on.
pub(crate) const NODE_NET: u8 = 24;
/// Services of Kubernetes get their virtual IPs here. Nothing in a cluster answers at them.
pub(crate) const SERVICES: &str = "10.96.0.0/16";
/// The virtual IP of the API server itself.
pub(crate) const API_SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);
/// Most nodes of a cluster.
pub(crate) const NODES_MAX: usize = 200;

/// A node's address, by its number from 1.
pub(crate) fn node(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, octet(number).saturating_add(10))
}

/// Where a node's pods get their addresses.
pub(crate) fn pods(number: usize) -> String {
    format!("10.244.{}.0/24", octet(number))
}

/// Clusters have no more nodes than fit.
fn octet(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}
