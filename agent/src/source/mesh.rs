use std::{
    collections::{BTreeMap, HashMap},
    path::Path as FilePath,
    str::{self, Utf8Error},
    sync::Arc,
};

use evermesh_model::{Names, Policy, Service, ServiceKey, Snapshot, Workload};

use super::{
    SourceError,
    claims::Claims,
    document,
    path::Path,
    policy::policy,
    report::{Note, Place, Report},
    service::service,
    workload::workload,
    yaml::Node,
};

/// A mesh in the making: what the files gave so far.
#[derive(Default)]
pub(super) struct Mesh {
    services: Vec<Service>,
    workloads: Vec<(Arc<Workload>, Place)>,
    policies: Vec<Policy>,
    claims: Claims,
    names: Names,
    pub report: Report,
}

impl Mesh {
    /// Adds all that a file says.
    pub fn add_file(&mut self, path: &FilePath, bytes: &[u8]) {
        self.report.begin(path);
        match str::from_utf8(bytes) {
            Ok(text) => document::read(text, self),
            Err(error) => self.refuse_encoding(bytes, error),
        }
    }

    fn refuse_encoding(&mut self, bytes: &[u8], error: Utf8Error) {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let reason = "holds bytes that are not UTF-8: save the file as UTF-8";
        self.report.refuse::<()>(u32::try_from(line).unwrap_or(u32::MAX), Path::Root, reason);
    }

    pub fn add_service(&mut self, node: &Node<'_>, path: &Path<'_>) {
        if let Some(service) = service(node, path, &mut self.report) {
            self.claims.service(&service, node, path, &mut self.report);
            self.services.push(service);
        }
    }

    pub fn add_workload(&mut self, node: &Node<'_>, path: &Path<'_>) {
        if let Some(mut workload) = workload(node, path, &mut self.report) {
            self.claims.workload(&workload, node, path, &mut self.report);
            workload.share_names(&mut self.names);
            self.workloads.push((Arc::new(workload), self.report.place(node.line)));
        }
    }

    pub fn add_policy(&mut self, node: &Node<'_>, path: &Path<'_>) {
        if let Some(policy) = policy(node, path, &mut self.report) {
            self.claims.policy(&policy, node, path, &mut self.report);
            self.report.note(node.line, Note::NotEnforced);
            self.policies.push(policy);
        }
    }

    /// The mesh and what its user should know, when nothing was wrong.
    pub fn finish(mut self) -> Result<(Snapshot, Vec<String>), SourceError> {
        self.note_what_is_missing();
        let Self { services, workloads, policies, claims, names, report } = self;
        // Before the snapshot, which is as large, is made.
        drop((claims, names));
        let warnings = report.finish().map_err(SourceError::Wrong)?;
        let services = services.into_iter().map(Arc::new);
        let workloads = workloads.into_iter().map(|(workload, _)| workload);
        let snapshot = Snapshot::of_shared(services, workloads, policies.into_iter().map(Arc::new));
        Ok((snapshot.map_err(SourceError::NoMesh)?, warnings))
    }

    /// A workload may come before its service, and may outlive it: that is no mistake, but worth a word.
    fn note_what_is_missing(&mut self) {
        let known: HashMap<&ServiceKey, &Service> = self.services.iter().map(|s| (&s.key, s)).collect();
        for (workload, place) in &self.workloads {
            for (key, ports) in workload.services.iter() {
                match known.get(key) {
                    None => self.report.note_at(*place, Note::ServiceMissing(key.clone())),
                    Some(service) => note_missing_ports(service, ports, *place, &mut self.report),
                }
            }
        }
    }
}

/// Of one workload that stands behind a service: the target ports it names.
fn note_missing_ports(service: &Service, ports: &BTreeMap<u16, u16>, place: Place, report: &mut Report) {
    let key = || service.key.clone();
    for port in ports.keys().filter(|port| !service.ports.contains_key(port)) {
        report.note_at(place, Note::PortMissing(key(), *port));
    }
    for (port, offer) in &service.ports {
        if offer.target_port == 0 && !ports.contains_key(port) {
            report.note_at(place, Note::TargetPortMissing(key(), *port));
        }
    }
}
