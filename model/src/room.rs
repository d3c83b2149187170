//! What can be followed of a mesh for which there is no room.

use std::{collections::HashMap, sync::Arc};

use crate::{Changes, Delta, InvalidSnapshot, Service, ServiceKey, Snapshot, Workload};

impl Snapshot {
    /// As much of this snapshot as takes no more room than what `stands`: services that stand have as many workloads behind them as they
    /// had, and within that it is followed who comes, goes, moves and falls ill. New services wait, and services that stand keep their
    /// ports and virtual IPs; what is gone is gone, and what is withheld is withheld.
    pub fn within_the_room_of(&self, stands: &Self) -> Result<Self, InvalidSnapshot> {
        let delta = Delta::between(stands, self);
        let is_led = |key: &ServiceKey| stands.service(key).is_some() && self.service(key).is_some();
        let mut room = Room::freed_by(&delta);
        let services = delta.removed.iter().map(|key| (key.clone(), None));
        let withheld = delta.changed.iter().filter_map(|key| {
            let (before, after) = (stands.service(key)?, self.service(key)?);
            let withheld = after.withheld && !before.withheld;
            withheld.then(|| (key.clone(), Some(Arc::new(Service { withheld, ..before.as_ref().clone() }))))
        });
        let workloads = delta.workloads.iter().map(|replaced| {
            let (before, after) = (replaced.before.as_deref(), replaced.after.as_ref());
            let uid = replaced.both().next().map(|workload| workload.uid.clone());
            (uid, after.map(|after| room.admitted(before, after, is_led)))
        });
        stands.with(Changes {
            workloads: workloads.filter_map(|(uid, after)| Some((uid?, after))).collect(),
            services: services.chain(withheld).collect(),
            policies: Some(self.policies().cloned().collect()),
        })
    }
}

/// How many more workloads there may be behind each service, since others are gone.
struct Room<'a>(HashMap<&'a ServiceKey, usize>);

impl<'a> Room<'a> {
    fn freed_by(delta: &'a Delta) -> Self {
        let mut free = HashMap::new();
        for replaced in &delta.workloads {
            let keeps = |key| replaced.after.as_ref().is_some_and(|after| after.services.contains_key(key));
            let before = replaced.before.iter().flat_map(|before| before.services.keys());
            before.filter(|key| !keeps(key)).for_each(|key| *free.entry(key).or_default() += 1);
        }
        Self(free)
    }

    /// The workload as it is now, behind those services where it stood, or where there is room. Others take none.
    fn admitted(
        &mut self,
        before: Option<&Workload>,
        after: &Arc<Workload>,
        is_led: impl Fn(&ServiceKey) -> bool,
    ) -> Arc<Workload> {
        let stood = |key: &ServiceKey| before.is_some_and(|before| before.services.contains_key(key));
        let mut may_stand = |key: &ServiceKey| stood(key) || !is_led(key) || self.take(key);
        let services = after.services.iter().filter(|(key, _)| may_stand(key));
        let services = services.map(|(key, ports)| (key.clone(), ports.clone())).collect();
        match services == after.services {
            true => after.clone(),
            false => Arc::new(Workload { services, ..after.as_ref().clone() }),
        }
    }

    fn take(&mut self, key: &ServiceKey) -> bool {
        let free = self.0.get_mut(key).filter(|free| **free > 0);
        free.map(|free| *free -= 1).is_some()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Health, WorkloadUid, samples};

    fn mesh(services: &[&str], workloads: Vec<Workload>) -> Snapshot {
        Snapshot::new(services.iter().map(|host| samples::service(host, &[])), workloads, []).unwrap()
    }

    fn behind(snapshot: &Snapshot, host: &str) -> Vec<String> {
        snapshot.members(&samples::key(host)).map(|one| one.uid.to_string()).collect()
    }

    fn webs(uids: &[&str]) -> Vec<Workload> {
        uids.iter().map(|uid| samples::workload(uid, &["web"])).collect()
    }

    #[test]
    fn a_new_service_waits_and_what_is_gone_is_gone() {
        let stands = mesh(&["web", "old"], webs(&["a", "b"]));
        let newest = mesh(&["web", "new"], webs(&["b"]));
        let followed = newest.within_the_room_of(&stands).unwrap();
        assert!(followed.services().map(|service| &service.key).eq([&samples::key("web")]));
        assert_eq!(behind(&followed, "web"), ["b"]);
    }

    /// Else a service that is too large would be left without anybody when all its pods have been replaced.
    #[test]
    fn who_comes_takes_the_place_of_who_goes() {
        let mut stands = mesh(&["web"], webs(&["a", "b"]));
        for (newest, followed) in [(["b", "c", "d"], ["b", "c"]), (["c", "d", "e"], ["c", "d"])] {
            stands = mesh(&["web"], webs(&newest)).within_the_room_of(&stands).unwrap();
            assert_eq!(behind(&stands, "web"), followed);
        }
    }

    #[test]
    fn who_falls_ill_or_is_withheld_is_seen_and_ports_wait() {
        let stands = mesh(&["web"], webs(&["a"]));
        let ill = Workload { health: Health::Unhealthy, ..samples::workload("a", &["web"]) };
        let mut service = Service { withheld: true, ..samples::service("web", &["10.96.0.9"]) };
        service.ports.insert(81, service.ports[&80].clone());
        let newest = Snapshot::new([service], [ill], []).unwrap();
        let followed = newest.within_the_room_of(&stands).unwrap();
        let web = followed.service(&samples::key("web")).unwrap();
        assert_eq!((web.ports.len(), web.vips.len(), web.withheld), (1, 0, true));
        assert_eq!(followed.workload(&WorkloadUid::new("a")).unwrap().health, Health::Unhealthy);
    }

    proptest! {
        #[test]
        fn nothing_grows_and_nobody_stays_who_is_gone(
            stands in samples::snapshot(), newest in samples::snapshot(),
        ) {
            let followed = newest.within_the_room_of(&stands).unwrap();
            for service in followed.services() {
                let (key, stood) = (&service.key, stands.service(&service.key).unwrap());
                prop_assert!(newest.service(key).is_some());
                prop_assert_eq!((&service.ports, &service.vips), (&stood.ports, &stood.vips));
                let [is, was, wanted] =
                    [&followed, &stands, &newest].map(|mesh| mesh.members(key).count());
                prop_assert_eq!(is, was.min(wanted));
                for member in followed.members(key) {
                    let newest = newest.workload(&member.uid).unwrap();
                    prop_assert!(newest.services.contains_key(key));
                    let services = member.services.clone();
                    prop_assert_eq!(member.as_ref(), &Workload { services, ..newest.clone().as_ref().clone() });
                }
            }
            prop_assert_eq!(&newest.within_the_room_of(&followed).unwrap(), &followed);
            prop_assert_eq!(stands.within_the_room_of(&stands).unwrap(), stands);
        }
    }
}
