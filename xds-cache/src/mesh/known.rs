use std::sync::Arc;

use evermesh_model::{Names, Policy, Service, SmolStr, Workload};
use evermesh_proto::discovery::{Packed, Resource};
use xxhash_rust::xxh3::Xxh3;

use super::{Name, wording::Wording};
use crate::{Demands, Meaning, Understood};

/// A resource that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// As the control plane numbers it; may be empty.
    pub(super) version: SmolStr,
    /// [`fingerprint`] of its bytes.
    pub(super) hash: u128,
    /// As it came: what it is understood as says less.
    pub(super) wording: Wording,
    pub(super) part: Part,
    pub(super) demands: Demands,
}

/// What it says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Service(Arc<Service>),
    Workload { workload: Arc<Workload>, hostname: Option<SmolStr> },
    Policy(Arc<Policy>),
}

impl Known {
    pub(super) fn new(version: &str, packed: &Packed, understood: Understood, names: &mut Names) -> Self {
        // Whoever kept a piece of a response would keep all of it.
        let (wording, part) = match understood.meaning {
            Meaning::Service(service) => (Wording::whole(&packed.value), Part::Service(Arc::new(service))),
            Meaning::Workload { mut workload, hostname } => {
                workload.share_names(names);
                let wording = Wording::of(&workload, &packed.value, names);
                (wording, Part::Workload { workload: Arc::new(workload), hostname })
            }
            Meaning::Policy(policy) => (Wording::whole(&packed.value), Part::Policy(Arc::new(policy))),
        };
        let hash = fingerprint(packed);
        Self { version: version.into(), hash, wording, part, demands: understood.demands }
    }

    /// As the control plane said it, under that name.
    pub fn resource(&self, name: &Name) -> Resource {
        let workload = match &self.part {
            Part::Workload { workload, .. } => Some(workload.as_ref()),
            Part::Service(_) | Part::Policy(_) => None,
        };
        let value = self.wording.bytes(workload).into();
        let packed = Packed { type_url: name.kind.type_url().into(), value };
        Resource {
            name: name.name.to_string(),
            version: self.version.to_string(),
            resource: Some(packed),
            ..Resource::default()
        }
    }
}

/// Of type and bytes: the same for the same resource, whatever version it is given.
pub(super) fn fingerprint(packed: &Packed) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(packed.type_url.as_bytes());
    hash.update(&[0]);
    hash.update(&packed.value);
    hash.digest128()
}
