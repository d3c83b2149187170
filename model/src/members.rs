use std::{borrow::Borrow, cmp::Ordering, ops::Bound, sync::Arc};

use imbl::OrdSet;

use crate::{Workload, WorkloadUid};

/// Of workloads in the order of their uids, those between two.
pub type Within<'a> = (Bound<&'a WorkloadUid>, Bound<&'a WorkloadUid>);

/// The workloads that stand behind one service, in the order of their uids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members(OrdSet<Member>);

impl Members {
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.0.iter().map(|member| &member.0)
    }

    /// Those between these two uids.
    pub fn within<'a>(
        &'a self,
        part: Within<'_>,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Workload>> + use<'a> {
        self.0.range::<_, WorkloadUid>(part).map(|member| &member.0)
    }

    /// In the place of whoever has the same uid.
    pub fn put(&mut self, workload: Arc<Workload>) {
        self.0.insert(Member(workload));
    }

    pub fn remove(&mut self, uid: &WorkloadUid) {
        self.0.remove(uid);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A workload that is known by its uid: half as large as one with its uid beside it, and there are many.
#[derive(Clone, Debug)]
pub(crate) struct Member(pub Arc<Workload>);

impl Borrow<WorkloadUid> for Member {
    fn borrow(&self) -> &WorkloadUid {
        &self.0.uid
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.0.uid == other.0.uid
    }
}

impl Eq for Member {}

impl PartialOrd for Member {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Member {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.uid.cmp(&other.0.uid)
    }
}
