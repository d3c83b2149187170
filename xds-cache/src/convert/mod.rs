//! From the wire to the model: one crossing, on which nothing is lost without a word.

mod address;
mod invalid;
mod policy;
mod service;
mod workload;

#[cfg(test)]
mod tests;

use evermesh_model::{Policy, Service, SmolStr, Workload};
use evermesh_proto::{
    discovery::Packed,
    security::Authorization,
    workload::{Address, address::Type},
};
use prost::Message as _;

use crate::{Kind, demand::Demands};

pub use invalid::InvalidResource;

/// What the one who converts has to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// Name of the network that this node is on.
    pub network: SmolStr,
    /// What becomes of traffic on whose way something is asked for that cannot be done.
    pub on_unsupported: OnUnsupported,
}

/// What becomes of traffic on whose way something is asked for that cannot be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnsupported {
    /// It passes as if nothing was asked for, and that is told.
    #[default]
    Warn,
    /// It is refused.
    Refuse,
}

/// What a resource says.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// A service.
    Service(Service),
    /// A workload.
    Workload {
        /// Without addresses, where it has a hostname that is still to be looked up.
        workload: Workload,
        /// Where its addresses come from if not from the control plane.
        hostname: Option<SmolStr>,
    },
    /// A policy.
    Policy(Policy),
}

/// A resource that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understood {
    /// What it says.
    pub meaning: Meaning,
    /// What it asks for and what is not done.
    pub demands: Demands,
}

impl Conversion {
    /// What the resource of this kind and name says.
    pub fn understand(&self, kind: Kind, name: &str, packed: &Packed) -> Result<Understood, InvalidResource> {
        let inner = Kind::of(&packed.type_url);
        if inner != Some(kind) {
            return Err(InvalidResource::Type { found: packed.type_url.clone(), wanted: kind });
        }
        let understood = match kind {
            Kind::Address => self.address(Address::decode(packed.value.clone())?)?,
            Kind::Authorization => policy::policy(Authorization::decode(packed.value.clone())?)?,
        };
        understood.meaning.check()?;
        match understood.meaning.name() {
            own if own == name => Ok(understood),
            own => Err(InvalidResource::Name { own }),
        }
    }

    fn address(&self, address: Address) -> Result<Understood, InvalidResource> {
        match address.r#type {
            Some(Type::Service(service)) => self.service(service),
            Some(Type::Workload(workload)) => self.workload(workload),
            None => Err(InvalidResource::Missing("type, which is `workload` or `service`")),
        }
    }

    /// Addresses of the network that this node is on are of no network in the model.
    fn network(&self, name: String) -> SmolStr {
        match name.as_str() == self.network {
            true => SmolStr::default(),
            false => name.into(),
        }
    }

    fn withholds(&self, demands: Demands) -> bool {
        self.on_unsupported == OnUnsupported::Refuse && demands.concern_the_way()
    }
}

impl Meaning {
    fn check(&self) -> Result<(), InvalidResource> {
        match self {
            Self::Service(service) => service.check()?,
            Self::Workload { workload, .. } => workload.check()?,
            Self::Policy(policy) if policy.name.is_empty() => return Err(InvalidResource::Missing("name")),
            Self::Policy(_) => {}
        }
        Ok(())
    }

    /// The name that the resource must have.
    fn name(&self) -> String {
        match self {
            Self::Service(service) => service.key.to_string(),
            Self::Workload { workload, .. } => workload.uid.to_string(),
            Self::Policy(policy) => policy.to_string(),
        }
    }
}
