//! One resource after the other, into what is known.

use std::{collections::BTreeSet, sync::Arc};

use evermesh_model::{Names, ServiceKey, SmolStr, WorkloadUid};
use evermesh_proto::discovery::Resource;

use super::{
    Heard, Mesh, Name, Rejected, Taken,
    known::{Known, Part, fingerprint},
};
use crate::Kind;

impl Mesh {
    pub(super) fn take_one(
        &mut self,
        kind: Kind,
        resource: &Resource,
        names: &mut Names,
        taken: &mut Taken,
        touched: &mut Touched,
    ) {
        let hash = resource.resource.as_ref().map(fingerprint);
        let known = self.known.of(kind).get_named(&resource.name);
        if let Some((name, known)) = known.filter(|(_, known)| Some(known.hash) == hash) {
            let (name, known) = (Name { kind, name: name.clone() }, known.clone());
            self.refused.forgive(&name);
            if known.version != resource.version {
                let version = resource.version.as_str().into();
                let known = Arc::new(Known { version, ..Known::clone(&known) });
                self.known.of_mut(kind).insert(name.name.clone(), known.clone());
                taken.changed.push((name, Some(known)));
            }
            return;
        }
        match self.admit(Heard::new(&self.conversion, kind, resource, names), touched) {
            Ok((name, known)) => taken.changed.push((name, Some(known))),
            Err(rejected) => taken.rejected.push(rejected),
        }
    }

    /// Takes in what could be understood, and says what that is; otherwise what was known stays.
    pub(super) fn admit(
        &mut self,
        heard: Heard,
        touched: &mut Touched,
    ) -> Result<(Name, Arc<Known>), Rejected> {
        let Heard { name, known } = heard;
        match known {
            Ok(known) => {
                match self.known.of(name.kind).get(&name.name).is_some() {
                    true => self.forget(&name, touched),
                    false => self.refused.forgive(&name),
                }
                self.learn(name.clone(), known.clone(), touched);
                Ok((name, known))
            }
            Err(reason) => {
                let rejected = Rejected { name, reason: reason.to_string() };
                self.refused.blame(&rejected);
                Err(rejected)
            }
        }
    }

    fn learn(&mut self, name: Name, known: Arc<Known>, touched: &mut Touched) {
        match &known.part {
            Part::Service(service) => {
                self.claims.add(service);
                touched.services.insert(service.key.clone());
            }
            Part::Workload { workload, hostname } => {
                if let Some(hostname) = hostname {
                    self.hostnames.join(hostname, &name.name);
                }
                touched.workloads.push(workload.uid.clone());
            }
            Part::Policy(_) => touched.policies = true,
        }
        self.asked.add(known.demands, &name.name);
        self.digest.add(&name, known.hash);
        self.known.of_mut(name.kind).insert(name.name, known);
    }

    pub(super) fn forget(&mut self, name: &Name, touched: &mut Touched) {
        self.refused.forgive(name);
        let Some(known) = self.known.of_mut(name.kind).remove(&name.name) else { return };
        self.asked.remove(known.demands, &name.name);
        self.digest.remove(name, known.hash);
        match &known.part {
            Part::Service(service) => {
                touched.services.extend(self.claims.remove(service));
                touched.services.insert(service.key.clone());
            }
            Part::Workload { workload, hostname } => {
                if let Some(hostname) = hostname {
                    self.hostnames.leave(hostname, &name.name);
                    touched.hostnames.insert(hostname.clone());
                }
                touched.workloads.push(workload.uid.clone());
            }
            Part::Policy(_) => touched.policies = true,
        }
    }
}

/// What may not be in the snapshot as it should.
#[derive(Default)]
pub(super) struct Touched {
    pub services: BTreeSet<ServiceKey>,
    /// Some may be there twice.
    pub workloads: Vec<WorkloadUid>,
    /// Some workload has left each, and may have come back.
    pub hostnames: BTreeSet<SmolStr>,
    pub policies: bool,
}
