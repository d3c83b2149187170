use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::ordmap::DiffItem;

use crate::{ServiceKey, Snapshot, Workload};

/// What differs between two snapshots, as far as services are concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Services in the new snapshot that are not the same as in the old one, by their own fields or by their members.
    pub changed: BTreeSet<ServiceKey>,
    /// Services in the old snapshot only.
    pub removed: BTreeSet<ServiceKey>,
    /// Changed services of which only members differ, and those members.
    pub members: BTreeMap<ServiceKey, Vec<Replaced>>,
    /// Workloads that differ.
    pub workloads: Vec<Replaced>,
}

/// A workload that is not the same in both snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// As it was; `None`: it is new.
    pub before: Option<Arc<Workload>>,
    /// As it is; `None`: it is gone.
    pub after: Option<Arc<Workload>>,
}

impl Replaced {
    /// It as it was and as it is.
    pub fn both(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.before.iter().chain(&self.after)
    }
}

impl Delta {
    /// What leads from `old` to `new`. What both share is not looked into.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let mut delta = Self { workloads: replaced(old, new), ..Self::default() };
        for replaced in &delta.workloads {
            let services: BTreeSet<_> =
                replaced.both().flat_map(|workload| workload.services.keys()).collect();
            for key in services.into_iter().filter(|key| new.service(key).is_some()) {
                delta.members.entry(key.clone()).or_default().push(replaced.clone());
            }
        }
        delta.changed.extend(delta.members.keys().cloned());
        for item in old.services.diff(&new.services) {
            let (key, set) = match item {
                DiffItem::Add(key, _) | DiffItem::Update { new: (key, _), .. } => (key, &mut delta.changed),
                DiffItem::Remove(key, _) => (key, &mut delta.removed),
            };
            set.insert(key.clone());
            delta.members.remove(key);
        }
        delta
    }

    /// Whether all services are the same in both.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

fn replaced(old: &Snapshot, new: &Snapshot) -> Vec<Replaced> {
    let pair = |item: DiffItem<'_, '_, _, Arc<Workload>>| match item {
        DiffItem::Add(_, after) => Replaced { before: None, after: Some(after.clone()) },
        DiffItem::Update { old: (_, before), new: (_, after) } => {
            Replaced { before: Some(before.clone()), after: Some(after.clone()) }
        }
        DiffItem::Remove(_, before) => Replaced { before: Some(before.clone()), after: None },
    };
    old.workloads.diff(&new.workloads).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use proptest::prelude::*;

    use super::*;
    use crate::{Health, Service, Workload, samples};

    type View = BTreeMap<ServiceKey, (Arc<Service>, Vec<Arc<Workload>>)>;

    fn seen(snapshot: &Snapshot, key: &ServiceKey) -> Option<(Arc<Service>, Vec<Arc<Workload>>)> {
        Some((snapshot.service(key)?.clone(), snapshot.members(key).cloned().collect()))
    }

    fn view(snapshot: &Snapshot) -> View {
        snapshot.services().filter_map(|s| Some((s.key.clone(), seen(snapshot, &s.key)?))).collect()
    }

    proptest! {
        #[test]
        fn applying_what_it_names_onto_the_old_view_gives_the_new_one(
            old in samples::snapshot(), new in samples::snapshot(),
        ) {
            let delta = Delta::between(&old, &new);
            let mut applied = view(&old);
            applied.retain(|key, _| !delta.removed.contains(key));
            applied.extend(delta.changed.iter().filter_map(|key| Some((key.clone(), seen(&new, key)?))));
            prop_assert_eq!(applied, view(&new));
        }

        #[test]
        fn a_snapshot_with_what_differs_is_the_other(old in samples::snapshot(), new in samples::snapshot()) {
            let delta = Delta::between(&old, &new);
            let services = delta.changed.iter().chain(&delta.removed);
            let uid = |replaced: &Replaced| replaced.both().next().unwrap().uid.clone();
            let changes = crate::Changes {
                services: services.map(|key| (key.clone(), new.service(key).cloned())).collect(),
                workloads: delta.workloads.iter().map(|it| (uid(it), it.after.clone())).collect(),
                ..crate::Changes::default()
            };
            let made = old.with(changes).unwrap();
            prop_assert_eq!(view(&made), view(&new));
            prop_assert!(made.workloads().eq(new.workloads()));
            prop_assert_eq!(Delta::between(&made, &new), Delta::default());
        }

        #[test]
        fn it_names_nothing_that_is_the_same(old in samples::snapshot(), new in samples::snapshot()) {
            let delta = Delta::between(&old, &new);
            for key in &delta.changed {
                prop_assert_ne!(seen(&old, key), seen(&new, key));
            }
            for key in &delta.removed {
                prop_assert!(old.service(key).is_some() && new.service(key).is_none());
            }
        }

        #[test]
        fn equal_snapshots_have_none(snapshot in samples::snapshot()) {
            let services = snapshot.services().map(|service| Service::clone(service));
            let workloads = snapshot.workloads().map(|workload| Workload::clone(workload));
            let unshared = Snapshot::new(services, workloads, []).unwrap();
            prop_assert!(Delta::between(&snapshot, &snapshot.clone()).is_empty());
            prop_assert!(Delta::between(&snapshot, &unshared).is_empty());
        }
    }

    #[test]
    fn a_workload_that_falls_ill_changes_the_services_it_stands_behind_only() {
        let services = [samples::service("web", &[]), samples::service("dns", &[])];
        let well = samples::workload("w1", &["web"]);
        let ill = Workload { health: Health::Unhealthy, ..well.clone() };
        let old = Snapshot::new(services.clone(), [well], []).unwrap();
        let new = Snapshot::new(services, [ill], []).unwrap();
        assert_eq!(Delta::between(&old, &new).changed, BTreeSet::from([samples::key("web")]));
    }

    #[test]
    fn members_that_wait_for_their_service_are_no_difference() {
        let new = Snapshot::new([], [samples::workload("w1", &["web"])], []).unwrap();
        assert!(Delta::between(&Snapshot::default(), &new).is_empty());
    }
}
