use std::sync::Arc;

use evermesh_model::{Names, Policy, Service, SmolStr, Workload};
use evermesh_proto::discovery::{Packed, Resource};
use xxhash_rust::xxh3::Xxh3;

use super::Name;
use crate::{Demands, Meaning, Understood};

/// A resource that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// As the control plane numbers it; may be empty.
    pub(super) version: SmolStr,
    /// [`fingerprint`] of its bytes.
    pub(super) hash: u128,
    /// As it came: what it is understood as says less.
    pub(super) bytes: Box<[u8]>,
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
        let part = match understood.meaning {
            Meaning::Service(service) => Part::Service(Arc::new(service)),
            Meaning::Workload { mut workload, hostname } => {
                workload.share_names(names);
                Part::Workload { workload: Arc::new(workload), hostname }
            }
            Meaning::Policy(policy) => Part::Policy(Arc::new(policy)),
        };
        Self {
            version: version.into(),
            hash: fingerprint(packed),
            // Whoever kept a piece of a response would keep all of it.
            bytes: packed.value.as_ref().into(),
            part,
            demands: understood.demands,
        }
    }

    /// As the control plane said it, under that name.
    pub fn resource(&self, name: &Name) -> Resource {
        let packed = Packed { type_url: name.kind.type_url().into(), value: self.bytes.to_vec().into() };
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
