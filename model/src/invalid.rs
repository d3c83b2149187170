use std::net::IpAddr;

use crate::{PolicyAction, ServiceKey, UnusableAddress, VirtualIp, WorkloadUid};

/// Why a set of services, workloads and policies is no mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSnapshot {
    /// A name that could not be told from another one's.
    #[error("service `{service}`: namespace and hostname must not be empty, nor the namespace contain `/`")]
    ServiceName {
        /// The service.
        service: ServiceKey,
    },
    /// Two services of one name.
    #[error(
        "service `{service}` is defined twice, as `{first}` and as `{second}`: remove one or rename its host"
    )]
    ServiceTwice {
        /// The name both have.
        service: ServiceKey,
        /// Short name of the one that came first.
        first: String,
        /// Short name of the other one.
        second: String,
    },
    /// Port 0, which no socket can be reached at.
    #[error("service `{service}`: port 0: ports are 1 to 65535")]
    ServicePortZero {
        /// The service.
        service: ServiceKey,
    },
    /// A split that gives nothing to anyone, or two shares to one revision.
    #[error("service `{service}`: its split {reason}")]
    ServiceSplit {
        /// The service.
        service: ServiceKey,
        /// What is wrong.
        reason: String,
    },
    /// A port nobody could use.
    #[error("service `{service}`: port {port} is offered on no protocol: name TCP, UDP or both")]
    ServicePortWithoutProtocol {
        /// The service.
        service: ServiceKey,
        /// Its port.
        port: u16,
    },
    /// A virtual IP that cannot be one.
    #[error("service `{service}`: virtual IP `{vip}` cannot be used: {reason}")]
    VirtualIpUnusable {
        /// The service.
        service: ServiceKey,
        /// The virtual IP.
        vip: VirtualIp,
        /// What is wrong with it.
        reason: UnusableAddress,
    },
    /// One virtual IP claimed by two services, or twice by one.
    #[error("virtual IP `{vip}` is claimed by service `{first}` and by service `{second}`: give it to one")]
    VirtualIpTwice {
        /// The virtual IP. Boxed, or every `Result` would carry the room for it.
        vip: Box<VirtualIp>,
        /// Who claimed it first.
        first: ServiceKey,
        /// Who claimed it next.
        second: ServiceKey,
    },
    /// A workload without a name.
    #[error("workload `{name}` has an empty uid: give it one that is unique in the mesh")]
    WorkloadWithoutUid {
        /// Namespace and short name.
        name: String,
    },
    /// Two workloads of one uid.
    #[error(
        "workload uid `{uid}` is given twice, to `{first}` and to `{second}`: give each workload its own"
    )]
    WorkloadTwice {
        /// The uid both have.
        uid: WorkloadUid,
        /// Namespace and short name of the one that came first.
        first: String,
        /// Namespace and short name of the other one.
        second: String,
    },
    /// A workload address that cannot be one.
    #[error("workload `{uid}`: address `{address}` cannot be used: {reason}")]
    WorkloadAddressUnusable {
        /// The workload.
        uid: WorkloadUid,
        /// The address.
        address: IpAddr,
        /// What is wrong with it.
        reason: UnusableAddress,
    },
    /// Port 0, which no socket can be reached at.
    #[error(
        "workload `{uid}`, service `{service}`: port {port} to target port {target_port}: ports are 1 to 65535"
    )]
    WorkloadPortZero {
        /// The workload.
        uid: WorkloadUid,
        /// The service it stands behind.
        service: ServiceKey,
        /// The service's port.
        port: u16,
        /// What the port leads to.
        target_port: u16,
    },
    /// Two policies of one name.
    #[error("policy `{policy}` is defined twice, to {first} and to {second}: remove or rename one")]
    PolicyTwice {
        /// Namespace and name of both.
        policy: String,
        /// Action of the one that came first.
        first: PolicyAction,
        /// Action of the other one.
        second: PolicyAction,
    },
}
