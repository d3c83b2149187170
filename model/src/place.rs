use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::{Scope, Snapshot, Workload};

/// Region, zone and subzone; each may be empty, which is: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Locality {
    /// Region, such as `eu-west-1`.
    pub region: SmolStr,
    /// Zone, such as `eu-west-1a`.
    pub zone: SmolStr,
    /// Subzone.
    pub subzone: SmolStr,
}

/// Where something runs. Empty fields are not known and match nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Kubernetes node.
    pub node: SmolStr,
    /// Kubernetes cluster.
    pub cluster: SmolStr,
    /// Locality.
    pub locality: Locality,
}

impl Place {
    /// The place of the node of that name, as the workloads that run on it tell: each field from the first of them,
    /// by uid, that has it.
    pub fn of_node(node: &str, snapshot: &Snapshot) -> Self {
        let here = |workload: &&Arc<Workload>| !node.is_empty() && workload.node == node;
        Self::told_by(node, snapshot.workloads().filter(here))
    }

    /// The place of the node of that name, as those say that run on it, in the order of their uids.
    pub(crate) fn told_by<'a>(node: &str, residents: impl Iterator<Item = &'a Arc<Workload>>) -> Self {
        let mut place = Self { node: node.into(), ..Self::default() };
        for workload in residents {
            fill(&mut place.cluster, &workload.cluster);
            fill(&mut place.locality.region, &workload.locality.region);
            fill(&mut place.locality.zone, &workload.locality.zone);
            fill(&mut place.locality.subzone, &workload.locality.subzone);
        }
        place
    }

    /// Whether a workload shares this scope with this place. All workloads of the empty network are on this one.
    pub fn shares(&self, scope: Scope, workload: &Workload) -> bool {
        let same = |ours: &str, theirs: &str| !ours.is_empty() && ours == theirs;
        match scope {
            Scope::Region => same(&self.locality.region, &workload.locality.region),
            Scope::Zone => same(&self.locality.zone, &workload.locality.zone),
            Scope::Subzone => same(&self.locality.subzone, &workload.locality.subzone),
            Scope::Node => same(&self.node, &workload.node),
            Scope::Cluster => same(&self.cluster, &workload.cluster),
            Scope::Network => workload.network.is_empty(),
        }
    }
}

fn fill(field: &mut SmolStr, with: &SmolStr) {
    if field.is_empty() {
        field.clone_from(with);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn on(node: &str, uid: &str, region: &str, zone: &str) -> Workload {
        let locality =
            Locality { region: region.into(), zone: zone.into(), subzone: SmolStr::default() }.into();
        Workload { node: node.into(), locality, ..samples::workload(uid, &[]) }
    }

    #[test]
    fn a_node_is_where_its_workloads_say() {
        let workloads = [on("a", "w1", "", ""), on("b", "w2", "r2", "z2"), on("a", "w3", "r1", "z1")];
        let snapshot = Snapshot::new([], workloads, []).unwrap();
        let place = Place::of_node("a", &snapshot);
        assert_eq!((place.locality.region.as_str(), place.locality.zone.as_str()), ("r1", "z1"));
        assert_eq!(Place::of_node("c", &snapshot).locality, Locality::default());
    }

    #[test]
    fn what_is_not_known_is_not_shared() {
        let nowhere = Place::default();
        let workload = on("", "w1", "", "");
        assert!(!nowhere.shares(Scope::Node, &workload) && !nowhere.shares(Scope::Region, &workload));
        assert!(nowhere.shares(Scope::Network, &workload));
    }
}
