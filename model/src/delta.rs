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
    /// What leads from `old` to `new`.
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
}
