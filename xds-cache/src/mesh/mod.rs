//! Everything that a control plane says, as far as it can be understood, and the mesh that follows from it.
//!
//! Pure. A copy costs nothing, so that what was applied stands beside what is wanted. The same resources make the same
//! mesh, in whatever order they came: where two claim the same, a rule decides and not who was first.

mod asked;
mod claims;
mod digest;
mod effect;
mod heard;
mod hostnames;
mod known;
mod learning;
mod listing;
mod passing;
mod refused;
mod resources;
mod wording;

#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use evermesh_model::{Names, SmolStr, Snapshot};
use evermesh_proto::discovery::Resource;

use crate::{Conversion, Kind};
use asked::Asked;
use claims::Claims;
use digest::Sum;
pub use heard::Heard;
use hostnames::Hostnames;
pub use known::Known;
use known::Part;
use learning::Touched;
pub use listing::{Listed, Says};
use passing::Passing;
pub use refused::{Refused, Rejected};
use resources::Resources;

/// Everything that a control plane says.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    conversion: Arc<Conversion>,
    known: Resources,
    claims: Claims,
    hostnames: Hostnames,
    asked: Asked,
    passing: Passing,
    refused: Refused,
    digest: Sum,
    snapshot: Snapshot,
}

/// A resource's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// What it is.
    pub kind: Kind,
    /// Its name among those.
    pub name: SmolStr,
}

/// What a control plane says of the resources of a kind.
#[derive(Clone, Debug)]
pub struct Said {
    /// Of which kind.
    pub kind: Kind,
    /// New ones, and those that may have changed.
    pub resources: Vec<Resource>,
    /// Names of those that are gone.
    pub removed: Vec<String>,
    /// There are no others.
    pub everything: bool,
}

/// What became of what was said.
#[derive(Debug, Default)]
pub struct Taken {
    /// Resources that are not what they were: the new one, or nothing where it is gone.
    pub changed: Vec<(Name, Option<Arc<Known>>)>,
    /// Resources that could not be understood. What was known under their names stays.
    pub rejected: Vec<Rejected>,
}

impl Mesh {
    /// Of which nothing is known yet.
    pub fn new(conversion: Conversion) -> Self {
        Self { conversion: Arc::new(conversion), ..Self::default() }
    }

    /// The mesh that follows from what is known.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The same wherever the same resources are known, and different where they are not: SHA-256 of each, added up.
    pub fn digest(&self) -> [u8; 32] {
        self.digest.bytes()
    }

    /// How many resources of a kind are known.
    pub fn count(&self, kind: Kind) -> usize {
        self.known.of(kind).len()
    }

    /// Names and versions of all resources of a kind, in no order.
    pub fn versions(&self, kind: Kind) -> impl Iterator<Item = (&SmolStr, &SmolStr)> {
        self.known.of(kind).iter().map(|(name, known)| (name, &known.version))
    }

    /// What could not be understood, and still could not where it was said again.
    pub fn refused(&self) -> &Refused {
        &self.refused
    }

    /// Nothing of this kind is complained of any more: what is still wrong is about to be said again.
    pub fn forgive(&mut self, kind: Kind) {
        self.refused.forgive_gone(kind, &[], true);
    }

    /// Hostnames that stand for the addresses of workloads.
    pub fn hostnames(&self) -> impl Iterator<Item = &SmolStr> {
        self.hostnames.iter()
    }

    /// Hostnames that lead nowhere, as far as is known; of many, some.
    pub fn unresolved(&self) -> Vec<String> {
        self.hostnames.unresolved()
    }

    /// What a user should know though it is not wrong, in a few sentences.
    pub fn warnings(&self) -> Vec<String> {
        let asked = self.asked.sentences(&self.conversion);
        asked.chain(self.passing.sentences()).chain(self.claims.sentences()).collect()
    }

    /// Takes in what was said.
    pub fn take(&mut self, said: Said) -> Taken {
        let Said { kind, resources, removed, everything } = said;
        let mut taken = Taken::default();
        let mut touched = Touched::default();
        self.refused.forgive_gone(kind, &removed, everything);
        for name in self.gone(kind, &resources, removed, everything) {
            self.forget(&name, &mut touched);
            taken.changed.push((name, None));
        }
        let mut names = Names::default();
        // All of them are freed afterwards: in the holes that each would leave, what is kept of the next ones would stand for ever.
        for resource in &resources {
            self.take_one(kind, resource, &mut names, &mut taken, &mut touched);
        }
        for hostname in &touched.hostnames {
            self.hostnames.forget_unused(hostname);
        }
        self.settle(touched);
        taken
    }

    /// Takes in a part of what a database held, and says what of it could not be understood.
    pub fn recall(&mut self, heard: Vec<Heard>) -> Vec<Rejected> {
        let mut touched = Touched::default();
        let rejected = heard.into_iter().filter_map(|heard| self.admit(heard, &mut touched).err()).collect();
        self.settle(touched);
        rejected
    }

    /// All resources of a kind, in no order.
    pub fn resources(&self, kind: Kind) -> impl Iterator<Item = (Name, Arc<Known>)> {
        let named = move |name: &SmolStr| Name { kind, name: name.clone() };
        self.known.of(kind).iter().map(move |(name, known)| (named(name), known.clone()))
    }

    /// Where hostnames lead, as far as is known.
    pub fn answers(&self) -> impl Iterator<Item = (&SmolStr, &[IpAddr])> {
        self.hostnames.answers()
    }

    /// Whether it is known where a hostname leads.
    pub fn is_resolved(&self, hostname: &str) -> bool {
        self.hostnames.addresses(hostname).is_some()
    }

    /// Takes in where a hostname leads; nowhere is an answer too, and what no workload can have is nowhere. Says whether that
    /// is new.
    pub fn resolve(&mut self, hostname: &str, addresses: Vec<IpAddr>) -> bool {
        let Some(workloads) = self.hostnames.resolve(hostname, addresses) else { return false };
        let workloads = workloads.iter().cloned().map(Into::into).collect();
        self.settle(Touched { workloads, ..Touched::default() });
        true
    }

    /// Names of what is known and gone. What is said to be gone and given too is there.
    fn gone(&self, kind: Kind, given: &[Resource], removed: Vec<String>, everything: bool) -> Vec<Name> {
        let known = self.known.of(kind);
        let mut gone: Vec<SmolStr> = match everything {
            true => known.names().cloned().collect(),
            false => {
                removed.into_iter().map(SmolStr::from).filter(|name| known.get(name).is_some()).collect()
            }
        };
        if !gone.is_empty() {
            let given: BTreeSet<&str> = given.iter().map(|resource| resource.name.as_str()).collect();
            gone.retain(|name| !given.contains(name.as_str()));
        }
        gone.sort_unstable();
        gone.dedup();
        gone.into_iter().map(|name| Name { kind, name }).collect()
    }
}
