use std::{collections::BTreeMap, mem, ops::Deref};

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Names, ServiceKey};

/// The services that a workload stands behind, each with the ports on which it deviates: service port to target port.
///
/// Most workloads stand behind one service, so it is a sorted vector without room to spare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
// In this order: the flag stands beside what else is read of each of a million workloads.
#[repr(C)]
pub struct Memberships {
    #[serde(skip)]
    deviates: bool,
    services: Services,
}

type Services = LiteMap<ServiceKey, BTreeMap<u16, u16>>;

impl Memberships {
    /// Whether there is any port on which the workload deviates. Most have none, which is known without a look at each service.
    pub fn deviates(&self) -> bool {
        self.deviates
    }

    pub(crate) fn share_names(&mut self, names: &mut Names) {
        let mut sorted = mem::take(&mut self.services).into_tuple_vec();
        sorted.iter_mut().for_each(|(key, _)| key.share_names(names));
        self.services = LiteMap::from_sorted_store_unchecked(sorted);
    }

    fn exactly(services: Services) -> Self {
        let mut sorted = services.into_tuple_vec();
        sorted.shrink_to_fit();
        let deviates = sorted.iter().any(|(_, ports)| !ports.is_empty());
        Self { services: LiteMap::from_sorted_store_unchecked(sorted), deviates }
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
        &self.services
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_port_of_any_service_is_a_deviation() {
        let [web, db] = ["web", "db"].map(samples::key);
        let none = || BTreeMap::new();
        let one = BTreeMap::from([(80, 8080)]);
        assert!(!Memberships::default().deviates());
        assert!(!Memberships::from([(web.clone(), none()), (db.clone(), none())]).deviates());
        assert!(Memberships::from([(web, none()), (db, one)]).deviates());
    }

    #[test]
    fn what_is_read_deviates_as_what_was_written() {
        for ports in [BTreeMap::new(), BTreeMap::from([(80, 8080)])] {
            let written = Memberships::from([(samples::key("web"), ports)]);
            let read: Memberships = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
            assert_eq!(read, written);
        }
    }
}
