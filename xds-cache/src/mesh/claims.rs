use evermesh_model::{Service, ServiceKey, VirtualIp};
use imbl::OrdMap;
use smallvec::SmallVec;

/// Which services claim which virtual IP. Several may, as two ServiceEntries with the same address do: the first by name
/// has it, so that nobody's coming first matters.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    by_vip: OrdMap<VirtualIp, SmallVec<[ServiceKey; 1]>>,
    /// How many of them are claimed more than once.
    contested: usize,
}

/// So many are named where there are more.
const NAMED: usize = 3;

impl Claims {
    pub fn add(&mut self, service: &Service) {
        for vip in &service.vips {
            let claimants = self.by_vip.entry(vip.clone()).or_default();
            if let Err(place) = claimants.binary_search(&service.key) {
                claimants.insert(place, service.key.clone());
                self.contested += usize::from(claimants.len() == 2);
            }
        }
    }

    /// Says who claims what the service claimed.
    pub fn remove(&mut self, service: &Service) -> Vec<ServiceKey> {
        let mut others = Vec::new();
        for vip in &service.vips {
            let Some(claimants) = self.by_vip.get_mut(vip) else { continue };
            let before = claimants.len();
            claimants.retain(|key| *key != service.key);
            self.contested -= usize::from(before == 2 && claimants.len() == 1);
            others.extend(claimants.iter().cloned());
            if claimants.is_empty() {
                self.by_vip.remove(vip);
            }
        }
        others
    }

    /// Who claims what the service claims, itself included.
    pub fn rivals(&self, service: &Service) -> impl Iterator<Item = &ServiceKey> {
        service.vips.iter().filter_map(|vip| self.by_vip.get(vip)).flatten()
    }

    pub fn has(&self, key: &ServiceKey, vip: &VirtualIp) -> bool {
        self.by_vip.get(vip).and_then(|claimants| claimants.first()) == Some(key)
    }

    /// For people.
    pub fn sentences(&self) -> Vec<String> {
        if self.contested == 0 {
            return Vec::new();
        }
        let contested = self.by_vip.iter().filter(|(_, claimants)| claimants.len() > 1);
        let mut sentences: Vec<_> = contested
            .take(NAMED)
            .map(|(vip, claimants)| {
                format!(
                    "virtual IP {vip} is claimed by {} and by {}: it leads to the first",
                    claimants[0], claimants[1]
                )
            })
            .collect();
        if self.contested > NAMED {
            sentences.push(format!("{} more virtual IPs are claimed more than once", self.contested - NAMED));
        }
        sentences
    }
}
