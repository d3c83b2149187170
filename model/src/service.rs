use std::{collections::BTreeMap, fmt, net::IpAddr};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Balancing, InvalidSnapshot, Names, Workload, check, workload::not};

/// A service's name: unique in the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceKey {
    /// Kubernetes namespace.
    pub namespace: SmolStr,
    /// Fully qualified host name.
    pub hostname: SmolStr,
}

impl ServiceKey {
    pub(crate) fn share_names(&mut self, names: &mut Names) {
        [&mut self.namespace, &mut self.hostname].into_iter().for_each(|name| names.share(name));
    }
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
    /// When its flows are left alone.
    #[serde(default, skip_serializing_if = "Passes::is_never")]
    pub passes: Passes,
}

/// When flows to a port are left alone, as if the mesh did not know it. The flows of what is [withheld](Service::withheld), be
/// it the service or a workload behind it, never are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Passes {
    /// Never: where nobody can be reached they are refused.
    #[default]
    Never,
    /// While no target port is known, neither of the service nor of any workload behind it: the source says which port a
    /// name stands for over TCP only, and not over which transport the port is offered.
    Untargeted,
    /// Always: the source has several target ports for it, one for each transport, and does not say which is whose.
    Always,
}

impl Passes {
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

impl Port {
    /// With this target port over these protocols, of a source that says all there is to know.
    pub fn new(target_port: u16, protocols: Vec<Protocol>) -> Self {
        Self { target_port, protocols, passes: Passes::Never }
    }
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

    /// Whether flows to one of its ports are left alone while these workloads stand behind it.
    pub fn leaves_alone<'a>(&self, number: u16, mut members: impl Iterator<Item = &'a Workload>) -> bool {
        let Some(port) = self.ports.get(&number).filter(|_| !self.withheld) else { return false };
        let is_targeted = |workload: &Workload| {
            workload.services.get(&self.key).is_some_and(|targets| targets.contains_key(&number))
        };
        match port.passes {
            Passes::Never => false,
            Passes::Untargeted if port.target_port != 0 => false,
            Passes::Untargeted => !members.any(|workload| workload.withheld || is_targeted(workload)),
            Passes::Always => !members.any(|workload| workload.withheld),
        }
    }
}
