use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::ServiceKey;

/// The services that a workload stands behind, each with the ports on which it deviates: service port to target port.
///
/// Most workloads stand behind one service, so it is a sorted vector without room to spare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memberships(LiteMap<ServiceKey, BTreeMap<u16, u16>>);

impl Deref for Memberships {
    type Target = LiteMap<ServiceKey, BTreeMap<u16, u16>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Memberships {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl FromIterator<(ServiceKey, BTreeMap<u16, u16>)> for Memberships {
    fn from_iter<I: IntoIterator<Item = (ServiceKey, BTreeMap<u16, u16>)>>(services: I) -> Self {
        let mut sorted = services.into_iter().collect::<LiteMap<_, _>>().into_tuple_vec();
        sorted.shrink_to_fit();
        Self(LiteMap::from_sorted_store_unchecked(sorted))
    }
}

impl<const N: usize> From<[(ServiceKey, BTreeMap<u16, u16>); N]> for Memberships {
    fn from(services: [(ServiceKey, BTreeMap<u16, u16>); N]) -> Self {
        Self::from_iter(services)
    }
}

impl From<BTreeMap<ServiceKey, BTreeMap<u16, u16>>> for Memberships {
    fn from(services: BTreeMap<ServiceKey, BTreeMap<u16, u16>>) -> Self {
        Self::from_iter(services)
    }
}
