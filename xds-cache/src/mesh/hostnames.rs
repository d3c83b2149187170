use std::{net::IpAddr, sync::Arc};

use evermesh_model::{SmolStr, UnusableAddress};
use imbl::{OrdMap, OrdSet};

/// Hostnames that stand for the addresses of workloads, and where they lead.
#[derive(Clone, Debug, Default)]
pub(super) struct Hostnames(OrdMap<SmolStr, Hostname>);

#[derive(Clone, Debug, Default)]
struct Hostname {
    workloads: OrdSet<SmolStr>,
    /// `None`: nobody knows yet.
    addresses: Option<Arc<[IpAddr]>>,
}

/// So many are named where there may be many.
const NAMED: usize = 100;

impl Hostnames {
    pub fn iter(&self) -> impl Iterator<Item = &SmolStr> {
        self.0.keys()
    }

    /// Where it leads, if that is known.
    pub fn addresses(&self, hostname: &str) -> Option<&[IpAddr]> {
        self.0.get(hostname)?.addresses.as_deref()
    }

    /// Where they lead, as far as is known.
    pub fn answers(&self) -> impl Iterator<Item = (&SmolStr, &[IpAddr])> {
        self.0.iter().filter_map(|(name, hostname)| Some((name, hostname.addresses.as_deref()?)))
    }

    /// Those that lead nowhere, as far as is known; of many, some.
    pub fn unresolved(&self) -> Vec<String> {
        let leads = |hostname: &Hostname| hostname.addresses.as_ref().is_some_and(|all| !all.is_empty());
        let nowhere = self.0.iter().filter(|(_, hostname)| !leads(hostname));
        nowhere.take(NAMED).map(|(name, _)| name.to_string()).collect()
    }

    pub fn join(&mut self, hostname: &SmolStr, uid: &SmolStr) {
        self.0.entry(hostname.clone()).or_default().workloads.insert(uid.clone());
    }

    /// What is known of it stays until [`forget_unused`](Self::forget_unused): the workload may be on its way back, changed.
    pub fn leave(&mut self, hostname: &SmolStr, uid: &SmolStr) {
        if let Some(hostname) = self.0.get_mut(hostname) {
            hostname.workloads.remove(uid);
        }
    }

    /// An answer that nobody needs any more is forgotten.
    pub fn forget_unused(&mut self, hostname: &SmolStr) {
        if self.0.get(hostname).is_some_and(|hostname| hostname.workloads.is_empty()) {
            self.0.remove(hostname);
        }
    }

    /// Takes in where it leads. Says which workloads that concerns, where it is new.
    pub fn resolve(&mut self, hostname: &str, mut addresses: Vec<IpAddr>) -> Option<&OrdSet<SmolStr>> {
        // Name servers that block a name say 0.0.0.0 or `::`, which no workload can have.
        addresses.retain(|address| UnusableAddress::of(*address).is_none());
        let hostname = self.0.get_mut(hostname)?;
        if hostname.addresses.as_deref() == Some(&addresses[..]) {
            return None;
        }
        hostname.addresses = Some(addresses.into());
        Some(&hostname.workloads)
    }
}
