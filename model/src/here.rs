use std::{ops::Deref, sync::Arc};

use crate::{Place, Replaced, Snapshot, Workload, members::Members};

/// Where a node is, with the workloads on it that tell: they alone are asked again when workloads change.
#[derive(Clone, Debug, Default)]
pub struct Here {
    place: Place,
    residents: Members,
}

impl Here {
    /// By a whole snapshot.
    pub fn of_node(node: &str, snapshot: &Snapshot) -> Self {
        let mut residents = Members::default();
        let here = snapshot.workloads().filter(|workload| !node.is_empty() && workload.node == node);
        here.cloned().for_each(|workload| residents.put(workload));
        Self { place: Place::told_by(node, residents.iter()), residents }
    }

    /// After these workloads have changed.
    pub fn after(&self, replaced: &[Replaced]) -> Self {
        let node = &self.place.node;
        let is_here = |workload: &&Arc<Workload>| !node.is_empty() && workload.node == *node;
        let mut residents = self.residents.clone();
        let mut of_this_node = replaced.iter().filter(|one| one.both().any(|it| is_here(&it))).peekable();
        if of_this_node.peek().is_none() {
            return self.clone();
        }
        for Replaced { before, after } in of_this_node {
            before.iter().for_each(|gone| residents.remove(&gone.uid));
            after.iter().filter(is_here).for_each(|come| residents.put(come.clone()));
        }
        Self { place: Place::told_by(node, residents.iter()), residents }
    }
}

impl Deref for Here {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Delta, samples};

    /// As they are, but on one of two nodes.
    fn settled(snapshot: &Snapshot, on_the_other: u8) -> Snapshot {
        let node = |at: usize| if on_the_other >> at & 1 == 1 { "node-2" } else { "node-1" };
        let moved =
            |(at, one): (usize, &Arc<Workload>)| Workload { node: node(at).into(), ..Workload::clone(one) };
        let services = snapshot.services().map(|service| service.as_ref().clone());
        Snapshot::new(services, snapshot.workloads().enumerate().map(moved).collect::<Vec<_>>(), []).unwrap()
    }

    proptest! {
        #[test]
        fn what_differs_leads_to_where_the_whole_does(
            before in samples::snapshot(),
            after in samples::snapshot(),
            nodes in any::<(u8, u8)>(),
        ) {
            let (before, after) = (settled(&before, nodes.0), settled(&after, nodes.1));
            let delta = Delta::between(&before, &after);
            for node in ["node-1", "node-2", "node-3", ""] {
                let led = Here::of_node(node, &before).after(&delta.workloads);
                prop_assert_eq!(&*led, &Place::of_node(node, &after));
                prop_assert!(led.residents.iter().eq(Here::of_node(node, &after).residents.iter()));
            }
        }
    }
}
