use std::{collections::HashSet, hash::Hash, sync::Arc};

use smol_str::SmolStr;

use crate::{Locality, Memberships};

/// Names that are in memory once each, however many workloads say them, and so is where workloads run, what services they stand behind,
/// and what else is kept of them. Short names are not: they stand where they are said.
#[derive(Clone, Debug, Default)]
pub struct Names {
    names: HashSet<SmolStr>,
    localities: HashSet<Arc<Locality>>,
    memberships: HashSet<Memberships>,
    bytes: HashSet<Arc<[u8]>>,
}

impl Names {
    /// Lets a name share the memory of the same one that was said first.
    pub fn share(&mut self, name: &mut SmolStr) {
        if !name.is_heap_allocated() {
            return;
        }
        share(&mut self.names, name);
    }

    /// Lets bytes share the memory of the same ones that were kept first.
    pub fn share_bytes(&mut self, bytes: &mut Arc<[u8]>) {
        share(&mut self.bytes, bytes);
    }

    /// Lets a locality share the memory of the same one that was said first.
    pub(crate) fn share_locality(&mut self, locality: &mut Arc<Locality>) {
        share(&mut self.localities, locality);
    }

    /// Lets memberships share the memory of the same ones that were said first, and the names in them.
    pub(crate) fn share_memberships(&mut self, memberships: &mut Memberships) {
        match self.memberships.get(memberships) {
            Some(first) => memberships.clone_from(first),
            None => {
                *memberships = memberships.with_names(self);
                self.memberships.insert(memberships.clone());
            }
        }
    }
}

fn share<T: Clone + Eq + Hash>(said: &mut HashSet<T>, one: &mut T) {
    match said.get(one) {
        Some(first) => one.clone_from(first),
        None => drop(said.insert(one.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::samples;

    #[test]
    fn workloads_share_a_long_name_and_their_services() {
        let hostname = format!("{}.svc.cluster.local", "web".repeat(9));
        let mut names = Names::default();
        let [one, other] = ["w1", "w2"].map(|uid| {
            let mut workload = samples::workload(uid, &[&hostname]);
            workload.share_names(&mut names);
            workload
        });
        let name = |workload: &crate::Workload| workload.services.keys().next().unwrap().hostname.as_ptr();
        assert_eq!(name(&one), name(&other));
        let mut both = samples::workload("w3", &["db", &hostname]);
        both.share_names(&mut names);
        assert_eq!(both.services.get(&samples::key(&hostname)), one.services.get(&samples::key(&hostname)));
        assert_eq!(both.services.last().unwrap().0.hostname.as_ptr(), name(&one));
        assert!(ptr::eq(&*one.services, &*other.services) && ptr::eq(&*one.locality, &*other.locality));
        assert_eq!(one.services, samples::workload("w1", &[&hostname]).services);
    }
}
