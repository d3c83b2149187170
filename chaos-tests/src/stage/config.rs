//! The stage's mesh file, from templates.

use crate::pod::Pod;

const SERVICES: &str = include_str!("services.yaml");
const WORKLOAD: &str = include_str!("workload.yaml");

/// Virtual IPs of the service `web`, as in the template.
pub const WEB: [&str; 2] = ["10.96.0.10", "fd00:96::a"];
/// Virtual IPs of the service that nobody stands behind.
pub const NOBODY: [&str; 2] = ["10.96.0.20", "fd00:96::14"];
/// Where all virtual IPs lie.
pub const VIRTUAL_NETS: [&str; 2] = ["10.96.0.0/16", "fd00:96::/64"];

/// Ports of the service `web`, and what stands behind them in the pods.
pub const HTTP: Forward = Forward { port: 80, target: 8080 };
/// TCP and UDP.
pub const ANSWER: Forward = Forward { port: 7, target: 7007 };
/// Connections that stay.
pub const STREAM: Forward = Forward { port: 8, target: 7008 };
/// A port that `web` does not have.
pub const UNKNOWN_PORT: u16 = 9;

/// A port of a service.
#[derive(Clone, Copy)]
pub struct Forward {
    /// At the virtual IP.
    pub port: u16,
    /// In the pods.
    pub target: u16,
}

/// A mesh in which `pods` stand behind `web`.
pub fn with<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> String {
    let workloads = pods.into_iter().map(|pod| {
        WORKLOAD
            .replace("NAME", pod.name())
            .replace("IPV4", &pod.ipv4().to_string())
            .replace("IPV6", &pod.ipv6().to_string())
    });
    SERVICES.to_owned() + &workloads.collect::<String>()
}

/// A file that must be refused as a whole, although only its last workload has an address that is none.
pub fn wrong<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> String {
    with(pods)
        + &WORKLOAD.replace("NAME", "wrong").replace("IPV4", "10.244.0.999").replace("IPV6", "fd00:244::999")
}
