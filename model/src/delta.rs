use std::collections::BTreeSet;

use crate::{ServiceKey, Snapshot};

/// Which services differ between two snapshots, by their own fields or by their members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// In the new snapshot, and not the same as in the old one.
    pub changed: BTreeSet<ServiceKey>,
    /// In the old snapshot only.
    pub removed: BTreeSet<ServiceKey>,
}

impl Delta {
    /// What leads from `old` to `new`. Parts that both share are not looked into: `Arc` compares its pointers
    /// first.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let removed =
            old.services().filter(|s| new.service(&s.key).is_none()).map(|s| s.key.clone()).collect();
        let changed = new
            .services()
            .filter(|s| old.service(&s.key) != Some(s) || !old.members(&s.key).eq(new.members(&s.key)))
            .map(|s| s.key.clone())
            .collect();
        Self { changed, removed }
    }

    /// Whether all services are the same in both.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
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
            let json = serde_json::to_string(&snapshot).unwrap();
            let unshared: Snapshot = serde_json::from_str(&json).unwrap();
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
