//! What the control plane knows: its resources, encoded once, with the hash of their bytes as version.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use evermesh_proto::{
    discovery::{Packed, Resource},
    security::{AUTHORIZATION, Authorization},
    workload::{ADDRESS, Address},
};
use prost::Message;
use xxhash_rust::xxh64::xxh64;

use super::{address_name, policy_name};

/// All resources.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) addresses: BTreeMap<String, Stored>,
    pub(super) policies: BTreeMap<String, Stored>,
    /// Of pushes; stands in the version of responses.
    pub(super) revision: u64,
}

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    bytes: Bytes,
    version: String,
}

/// What to push: names of resources that were added, changed or removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) addresses: BTreeSet<String>,
    pub(super) policies: BTreeSet<String>,
    /// Everything may have changed. Sends all policies; addresses are not concerned.
    pub(super) forced: bool,
}

impl World {
    /// Adds or replaces addresses.
    pub(super) fn put(&mut self, addresses: impl IntoIterator<Item = Address>) -> Changed {
        let stored = addresses.into_iter().map(|address| (address_name(&address), Stored::new(&address)));
        Changed { addresses: insert(&mut self.addresses, stored), ..Changed::default() }
    }

    /// Adds or replaces policies.
    pub(super) fn allow(&mut self, policies: impl IntoIterator<Item = Authorization>) -> Changed {
        let stored = policies.into_iter().map(|policy| (policy_name(&policy), Stored::new(&policy)));
        Changed { policies: insert(&mut self.policies, stored), ..Changed::default() }
    }

    pub(super) fn remove(&mut self, name: &str) -> Changed {
        let gone = self.addresses.remove(name).map(|_| name.to_owned());
        Changed { addresses: gone.into_iter().collect(), ..Changed::default() }
    }

    pub(super) fn remove_policy(&mut self, name: &str) -> Changed {
        let gone = self.policies.remove(name).map(|_| name.to_owned());
        Changed { policies: gone.into_iter().collect(), ..Changed::default() }
    }

    /// Has these addresses and policies alone.
    pub(super) fn replace(
        &mut self,
        addresses: impl IntoIterator<Item = Address>,
        policies: impl IntoIterator<Item = Authorization>,
    ) -> Changed {
        let mut next = Self { revision: self.revision, ..Self::default() };
        next.put(addresses);
        next.allow(policies);
        let changed = Changed {
            addresses: differing(&self.addresses, &next.addresses),
            policies: differing(&self.policies, &next.policies),
            forced: false,
        };
        *self = next;
        changed
    }
}

impl Stored {
    fn new(message: &impl Message) -> Self {
        let bytes = Bytes::from(message.encode_to_vec());
        let version = format!("{:x}", xxh64(&bytes, 0));
        Self { bytes, version }
    }

    pub(super) fn version(&self) -> &str {
        &self.version
    }

    pub(super) fn address(&self, name: &str, versioned: bool) -> Resource {
        let version = if versioned { self.version.clone() } else { String::new() };
        Resource { version, ..self.resource(name, ADDRESS) }
    }

    pub(super) fn policy(&self, name: &str) -> Resource {
        self.resource(name, AUTHORIZATION)
    }

    fn resource(&self, name: &str, type_url: &str) -> Resource {
        Resource {
            name: name.to_owned(),
            resource: Some(Packed { type_url: type_url.to_owned(), value: self.bytes.clone() }),
            ..Resource::default()
        }
    }
}

impl Changed {
    pub(super) fn merge(&mut self, later: Self) {
        self.addresses.extend(later.addresses);
        self.policies.extend(later.policies);
        self.forced |= later.forced;
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn insert(
    kept: &mut BTreeMap<String, Stored>,
    stored: impl Iterator<Item = (String, Stored)>,
) -> BTreeSet<String> {
    let mut changed = BTreeSet::new();
    for (name, new) in stored {
        if kept.get(&name) != Some(&new) {
            kept.insert(name.clone(), new);
            changed.insert(name);
        }
    }
    changed
}

fn differing(old: &BTreeMap<String, Stored>, new: &BTreeMap<String, Stored>) -> BTreeSet<String> {
    let names = old.keys().chain(new.keys());
    names.filter(|name| old.get(*name) != new.get(*name)).cloned().collect()
}
