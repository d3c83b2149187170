use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use litemap::LiteMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Names, ServiceKey};

/// The services that a workload stands behind, each with the ports on which it deviates: service port to target port.
///
/// Workloads of one service say the same, which is in memory once for all of those that [share](Names) it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
// In this order: the flag stands beside what else is read of each of a million workloads.
#[repr(C)]
pub struct Memberships {
    deviates: bool,
    /// `None`: there are none.
    services: Option<Arc<Services>>,
}

type Services = LiteMap<ServiceKey, BTreeMap<u16, u16>>;

static NONE: Services = LiteMap::new();

impl Memberships {
    /// Whether there is any port on which the workload deviates. Most have none, which is known without a look at each service.
    pub fn deviates(&self) -> bool {
        self.deviates
    }

    /// With names that others may share.
    pub(crate) fn with_names(&self, names: &mut Names) -> Self {
        let shared = |(key, ports): (&ServiceKey, &BTreeMap<u16, u16>)| {
            let mut key = key.clone();
            key.share_names(names);
            (key, ports.clone())
        };
        self.iter().map(shared).collect()
    }

    fn exactly(services: Services) -> Self {
        let mut sorted = services.into_tuple_vec();
        sorted.shrink_to_fit();
        let deviates = sorted.iter().any(|(_, ports)| !ports.is_empty());
        let services = (!sorted.is_empty()).then(|| Arc::new(LiteMap::from_sorted_store_unchecked(sorted)));
        Self { services, deviates }
    }
}

impl Hash for Memberships {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.len().hash(state);
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl Serialize for Memberships {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
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
        self.services.as_deref().unwrap_or(&NONE)
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
