use std::{hash::BuildHasherDefault, sync::Arc};

use evermesh_model::SmolStr;
use imbl::{GenericHashMap as HashMap, shared_ptr::DefaultSharedPtr};
use xxhash_rust::xxh3::Xxh3;

use super::{Kind, known::Known};

/// What is known of the resources of a kind; behind a pointer, since the places of a map are many more than what it holds.
pub(super) type ByName = HashMap<SmolStr, Arc<Known>, BuildHasherDefault<Xxh3>, DefaultSharedPtr>;

/// What is known, kind by kind: whoever walks the policies does not meet a hundred thousand workloads.
#[derive(Clone, Debug, Default)]
pub(super) struct Resources {
    addresses: ByName,
    policies: ByName,
}

impl Resources {
    pub fn of(&self, kind: Kind) -> &ByName {
        match kind {
            Kind::Address => &self.addresses,
            Kind::Authorization => &self.policies,
        }
    }

    pub fn of_mut(&mut self, kind: Kind) -> &mut ByName {
        match kind {
            Kind::Address => &mut self.addresses,
            Kind::Authorization => &mut self.policies,
        }
    }
}
