use std::{
    collections::BTreeMap,
    mem,
    ops::{Deref, DerefMut},
};

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Names, ServiceKey};

/// The services that a workload stands behind, each with the ports on which it deviates: service port to target port.
///
/// Most workloads stand behind one service, so it is a sorted vector without room to spare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Memberships(Services);

type Services = LiteMap<ServiceKey, BTreeMap<u16, u16>>;

impl Memberships {
    pub(crate) fn share_names(&mut self, names: &mut Names) {
        let mut sorted = mem::take(&mut self.0).into_tuple_vec();
        sorted.iter_mut().for_each(|(key, _)| key.share_names(names));
        self.0 = LiteMap::from_sorted_store_unchecked(sorted);
    }

    fn exactly(services: Services) -> Self {
        let mut sorted = services.into_tuple_vec();
        sorted.shrink_to_fit();
        Self(LiteMap::from_sorted_store_unchecked(sorted))
    }
}

impl<'de> Deserialize<'de> for Memberships {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Services::deserialize(deserializer).map(Self::exactly)
    }
}

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
        Self::exactly(services.into_iter().collect())
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
