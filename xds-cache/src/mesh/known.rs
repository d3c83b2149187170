use std::sync::Arc;

use evermesh_model::{Policy, Service, SmolStr, Workload};
use evermesh_proto::discovery::Packed;
use xxhash_rust::xxh3::Xxh3;

use crate::{Demands, Meaning, Understood};

/// A resource that is in force.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// As the control plane numbers it; may be empty.
    pub version: SmolStr,
    /// [`fingerprint`] of its bytes.
    pub hash: u128,
    pub part: Part,
    pub demands: Demands,
}

/// What it says.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Service(Arc<Service>),
    Workload { workload: Arc<Workload>, hostname: Option<SmolStr> },
    Policy(Arc<Policy>),
}

impl Known {
    pub fn new(version: &str, hash: u128, understood: Understood) -> Self {
        let part = match understood.meaning {
            Meaning::Service(service) => Part::Service(Arc::new(service)),
            Meaning::Workload { workload, hostname } => {
                Part::Workload { workload: Arc::new(workload), hostname }
            }
            Meaning::Policy(policy) => Part::Policy(Arc::new(policy)),
        };
        Self { version: version.into(), hash, part, demands: understood.demands }
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
