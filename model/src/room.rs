//! What can be followed of a mesh for which there is no room.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Changes, Delta, InvalidSnapshot, Replaced, Service, ServiceKey, Snapshot, Workload, WorkloadUid,
};

impl Snapshot {
    /// As much of this snapshot as takes no more room than one that `fits`: services of that have as many workloads behind them as they
    /// had there, and within that it is followed who comes, goes, moves and falls ill. Who comes and already `stands` goes before
    /// others. New services wait, and others keep their ports and virtual IPs; what is gone is gone, and what is withheld is withheld.
    pub fn within_the_room_of(&self, fits: &Self, stands: &Self) -> Result<Self, InvalidSnapshot> {
        let delta = Delta::between(fits, self);
        let is_led = |key: &ServiceKey| fits.service(key).is_some() && self.service(key).is_some();
        let stands = |uid: &WorkloadUid, key: &ServiceKey| is_behind(stands.workload(uid), key);
        let mut room = Room::freed_by(&delta, stands);
        let services = delta.removed.iter().map(|key| (key.clone(), None));
        let withheld = delta.changed.iter().filter_map(|key| {
            let (before, after) = (fits.service(key)?, self.service(key)?);
            let withheld = after.withheld && !before.withheld;
            withheld.then(|| (key.clone(), Some(Arc::new(Service { withheld, ..before.as_ref().clone() }))))
        });
        let workloads = delta.workloads.iter().filter_map(|replaced| {
            let uid = replaced.both().next()?.uid.clone();
            let enters = |key: &ServiceKey| is_led(key) && enters(replaced, key);
            let may_stand = |key: &ServiceKey| !enters(key) || room.take(key, stands(&uid, key));
            let after = replaced.after.as_ref().map(|after| behind(after, may_stand));
            Some((uid, after))
        });
        fits.with(Changes {
            workloads: workloads.collect(),
            services: services.chain(withheld).collect(),
            policies: Some(self.policies().cloned().collect()),
        })
    }
}

fn is_behind(workload: Option<&Arc<Workload>>, key: &ServiceKey) -> bool {
    workload.is_some_and(|workload| workload.services.contains_key(key))
}

/// Whether it is behind the service now, and was not.
fn enters(Replaced { before, after }: &Replaced, key: &ServiceKey) -> bool {
    is_behind(after.as_ref(), key) && !is_behind(before.as_ref(), key)
}

/// The workload, behind those of its services alone.
fn behind(workload: &Arc<Workload>, mut may_stand: impl FnMut(&ServiceKey) -> bool) -> Arc<Workload> {
    let services = workload.services.iter().filter(|(key, _)| may_stand(key));
    let services = services.map(|(key, ports)| (key.clone(), ports.clone())).collect();
    match services == workload.services {
        true => workload.clone(),
        false => Arc::new(Workload { services, ..workload.as_ref().clone() }),
    }
}

/// How many more workloads there may be behind each service, since others are gone.
struct Room<'a>(HashMap<&'a ServiceKey, Places>);

#[derive(Default)]
struct Places {
    /// For whoever stands already.
    kept: usize,
    /// For anybody else.
    free: usize,
}

impl<'a> Room<'a> {
    fn freed_by(delta: &'a Delta, stands: impl Fn(&WorkloadUid, &ServiceKey) -> bool) -> Self {
        let mut room: HashMap<_, Places> = HashMap::new();
        for replaced in &delta.workloads {
            let before = replaced.before.iter().flat_map(|before| before.services.keys());
            let gone = before.filter(|key| !is_behind(replaced.after.as_ref(), key));
            gone.for_each(|key| room.entry(key).or_default().free += 1);
            if let Some(after) = &replaced.after {
                let entered = after.services.keys().filter(|key| enters(replaced, key));
                let standing = entered.filter(|key| stands(&after.uid, key));
                standing.for_each(|key| room.entry(key).or_default().kept += 1);
            }
        }
        for places in room.values_mut() {
            places.kept = places.kept.min(places.free);
            places.free -= places.kept;
        }
        Self(room)
    }

    fn take(&mut self, key: &ServiceKey, stands: bool) -> bool {
        let Some(Places { kept, free }) = self.0.get_mut(key) else { return false };
        let left = if stands { kept } else { free };
        let some = *left > 0;
        *left -= usize::from(some);
        some
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Health, samples};

    fn mesh(services: &[&str], workloads: Vec<Workload>) -> Snapshot {
        Snapshot::new(services.iter().map(|host| samples::service(host, &[])), workloads, []).unwrap()
    }

    fn members(snapshot: &Snapshot, host: &str) -> Vec<String> {
        snapshot.members(&samples::key(host)).map(|one| one.uid.to_string()).collect()
    }

    fn webs(uids: &[&str]) -> Vec<Workload> {
        uids.iter().map(|uid| samples::workload(uid, &["web"])).collect()
    }

    #[test]
    fn a_new_service_waits_and_what_is_gone_is_gone() {
        let stands = mesh(&["web", "old"], webs(&["a", "b"]));
        let newest = mesh(&["web", "new"], webs(&["b"]));
        let followed = newest.within_the_room_of(&stands, &stands).unwrap();
        assert!(followed.services().map(|service| &service.key).eq([&samples::key("web")]));
        assert_eq!(members(&followed, "web"), ["b"]);
    }

    /// Else a service of which there are too many would be left without anybody when all its pods have been replaced, one after the other.
    #[test]
    fn who_comes_takes_the_place_of_who_is_gone_and_whoever_stands_keeps_it() {
        let fits = mesh(&["web"], webs(&["a", "b"]));
        let mut stands = fits.clone();
        for (newest, followed) in [
            (&["b", "d", "e"][..], &["b", "d"][..]),
            (&["b", "c", "d", "e"], &["b", "d"]),
            (&["d"], &["d"]),
            (&["c", "d"], &["c", "d"]),
            (&["a", "b", "c", "d"], &["a", "b"]),
        ] {
            stands = mesh(&["web"], webs(newest)).within_the_room_of(&fits, &stands).unwrap();
            assert_eq!(members(&stands, "web"), followed);
        }
    }

    #[test]
    fn who_falls_ill_or_is_withheld_is_seen_and_ports_wait() {
        let stands = mesh(&["web"], webs(&["a"]));
        let ill = Workload { health: Health::Unhealthy, ..samples::workload("a", &["web"]) };
        let mut service = Service { withheld: true, ..samples::service("web", &["10.96.0.9"]) };
        service.ports.insert(81, service.ports[&80].clone());
        let newest = Snapshot::new([service], [ill], []).unwrap();
        let followed = newest.within_the_room_of(&stands, &stands).unwrap();
        let web = followed.service(&samples::key("web")).unwrap();
        assert_eq!((web.ports.len(), web.vips.len(), web.withheld), (1, 0, true));
        assert_eq!(followed.workload(&WorkloadUid::new("a")).unwrap().health, Health::Unhealthy);
    }

    proptest! {
        #[test]
        fn nothing_grows_and_nobody_stays_who_is_gone(
            fits in samples::snapshot(), between in samples::snapshot(), newest in samples::snapshot(),
        ) {
            let stands = between.within_the_room_of(&fits, &fits).unwrap();
            let followed = newest.within_the_room_of(&fits, &stands).unwrap();
            for service in followed.services() {
                let (key, fitted) = (&service.key, fits.service(&service.key).unwrap());
                prop_assert!(newest.service(key).is_some());
                prop_assert_eq!((&service.ports, &service.vips), (&fitted.ports, &fitted.vips));
                let [is, room, wanted] =
                    [&followed, &fits, &newest].map(|mesh| mesh.members(key).count());
                prop_assert_eq!(is, room.min(wanted));
                for member in followed.members(key) {
                    let newest = newest.workload(&member.uid).unwrap();
                    prop_assert!(newest.services.contains_key(key));
                    let services = member.services.clone();
                    prop_assert_eq!(member.as_ref(), &Workload { services, ..newest.clone().as_ref().clone() });
                }
            }
            prop_assert_eq!(&newest.within_the_room_of(&fits, &followed).unwrap(), &followed);
            prop_assert_eq!(fits.within_the_room_of(&fits, &stands).unwrap(), fits);
        }
    }
}
