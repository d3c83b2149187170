//! Resources as Istio makes them from Services and Pods.

use std::net::IpAddr;

use bytes::Bytes;
use evermesh_proto::{
    security::{Action, Authorization, Scope},
    workload::{Address, NetworkAddress, Port, PortList, Service, Workload, address::Type},
};

/// A service with virtual IPs and ports, each given as (port of the service, port of the workload).
pub fn service(
    namespace: &str,
    name: &str,
    vips: impl IntoIterator<Item = impl Into<IpAddr>>,
    ports: impl IntoIterator<Item = (u32, u32)>,
) -> Service {
    let network_address = |ip| NetworkAddress { address: octets(ip), ..NetworkAddress::default() };
    Service {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        hostname: hostname(namespace, name),
        addresses: vips.into_iter().map(Into::into).map(network_address).collect(),
        ports: ports.into_iter().map(port).collect(),
        ..Service::default()
    }
}

/// A healthy pod on `node-1` that serves `services`, each given as its resource's name and its ports.
pub fn workload<'a, Ports: IntoIterator<Item = (u32, u32)>>(
    uid: &str,
    ip: impl Into<IpAddr>,
    services: impl IntoIterator<Item = (&'a str, Ports)>,
) -> Workload {
    let port_list = |ports: Ports| PortList { ports: ports.into_iter().map(port).collect() };
    let name = uid.rsplit('/').next().unwrap_or(uid).to_owned();
    Workload {
        uid: uid.to_owned(),
        namespace: "demo".to_owned(),
        addresses: vec![octets(ip.into())],
        trust_domain: "cluster.local".to_owned(),
        service_account: "default".to_owned(),
        node: "node-1".to_owned(),
        canonical_name: name.clone(),
        canonical_revision: "latest".to_owned(),
        workload_name: name.clone(),
        name,
        cluster_id: "Kubernetes".to_owned(),
        services: services.into_iter().map(|(name, ports)| (name.to_owned(), port_list(ports))).collect(),
        ..Workload::default()
    }
}

/// A policy that refuses everything in a namespace.
pub fn deny_all(namespace: &str, name: &str) -> Authorization {
    Authorization {
        name: name.to_owned(),
        namespace: namespace.to_owned(),
        scope: Scope::Namespace.into(),
        action: Action::Deny.into(),
        ..Authorization::default()
    }
}

/// The resource name of the service `name` in `namespace`.
pub fn service_name(namespace: &str, name: &str) -> String {
    format!("{namespace}/{}", hostname(namespace, name))
}

/// The name under which an address is a resource.
pub fn address_name(address: &Address) -> String {
    match &address.r#type {
        Some(Type::Workload(workload)) => workload.uid.clone(),
        Some(Type::Service(service)) => format!("{}/{}", service.namespace, service.hostname),
        None => String::new(),
    }
}

/// The name under which a policy is a resource.
pub fn policy_name(policy: &Authorization) -> String {
    format!("{}/{}", policy.namespace, policy.name)
}

/// What can be served as an [`Address`].
pub trait IntoAddress {
    /// Wraps it.
    fn into_address(self) -> Address;
}

impl IntoAddress for Address {
    fn into_address(self) -> Address {
        self
    }
}

impl IntoAddress for Service {
    fn into_address(self) -> Address {
        Address { r#type: Some(Type::Service(self)) }
    }
}

impl IntoAddress for Workload {
    fn into_address(self) -> Address {
        Address { r#type: Some(Type::Workload(self)) }
    }
}

fn hostname(namespace: &str, name: &str) -> String {
    format!("{name}.{namespace}.svc.cluster.local")
}

fn port((service_port, target_port): (u32, u32)) -> Port {
    Port { service_port, target_port, ..Port::default() }
}

fn octets(ip: IpAddr) -> Bytes {
    match ip {
        IpAddr::V4(ip) => Bytes::copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => Bytes::copy_from_slice(&ip.octets()),
    }
}
