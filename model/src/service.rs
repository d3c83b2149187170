use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Balancing, InvalidSnapshot, check, workload::not};

/// A service's name: unique in the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceKey {
    /// Kubernetes namespace.
    pub namespace: SmolStr,
    /// Fully qualified host name.
    pub hostname: SmolStr,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.hostname)
    }
}

impl From<ServiceKey> for String {
    fn from(key: ServiceKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for ServiceKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, hostname)) if !namespace.is_empty() && !hostname.is_empty() => {
                Ok(Self { namespace: namespace.into(), hostname: hostname.into() })
            }
            _ => Err(format!("`{text}` is not of the form NAMESPACE/HOSTNAME")),
        }
    }
}

/// An address under which a service is reached, on a network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VirtualIp {
    /// Network the address belongs to; empty: this one.
    pub network: SmolStr,
    /// The address.
    pub address: IpAddr,
}

impl fmt::Display for VirtualIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network.as_str() {
            "" => write!(f, "{}", self.address),
            network => write!(f, "{network}/{}", self.address),
        }
    }
}

/// A transport protocol a service port is offered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
}

/// What a service offers on one of its ports. Ports are host byte order throughout the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Port on the workloads, unless a workload names its own. 0: each workload names its own, and those that
    /// do not are left out.
    pub target_port: u16,
    /// Protocols offered; never empty. Both, where the source does not say.
    pub protocols: Vec<Protocol>,
}

/// A service: names, virtual IPs and ports. Which workloads stand behind it is said by the workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Short name.
    pub name: SmolStr,
    /// Unique name.
    pub key: ServiceKey,
    /// Where it is reached; of both families, possibly none (headless).
    pub vips: Vec<VirtualIp>,
    /// By service port.
    pub ports: BTreeMap<u16, Port>,
    /// How its flows are shared out.
    pub balancing: Balancing,
    /// Its flows are refused, because what is asked for on the way to it cannot be done.
    #[serde(default, skip_serializing_if = "not")]
    pub withheld: bool,
}

impl Service {
    /// Says what is wrong with it by itself, if anything is.
    pub fn check(&self) -> Result<(), InvalidSnapshot> {
        check::service(self)
    }
}
