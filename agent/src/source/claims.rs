use std::{collections::HashMap, hash::Hash};

use evermesh_model::{Policy, Service, ServiceKey, SmolStr, VirtualIp, Workload, WorkloadUid};

use super::{
    path::Path,
    report::{Place, Report},
    yaml::Node,
};

/// Names and virtual IPs that are taken, and where: each may be used once in a mesh.
#[derive(Default)]
pub(super) struct Claims {
    services: HashMap<ServiceKey, Place>,
    virtual_ips: HashMap<VirtualIp, (ServiceKey, Place)>,
    workloads: HashMap<WorkloadUid, Place>,
    policies: HashMap<(SmolStr, SmolStr), Place>,
}

impl Claims {
    pub fn service(&mut self, service: &Service, node: &Node<'_>, path: &Path<'_>, report: &mut Report) {
        let line = line_of(node.field("hostname"), node);
        if let Some(first) = claim(&mut self.services, &service.key, report.place(line)) {
            let (key, first) = (&service.key, report.show(first));
            let reason =
                format!("service `{key}` is already defined in {first}: remove one, or change its hostname");
            report.refuse::<()>(line, Path::Field(path, "hostname"), reason);
        }
        for (index, vip) in service.vips.iter().enumerate() {
            let line = line_of(node.field("vips").and_then(|vips| vips.item(index)), node);
            let claimed = (service.key.clone(), report.place(line));
            if let Some((owner, first)) = claim(&mut self.virtual_ips, vip, claimed) {
                let first = report.show(first);
                let reason = format!(
                    "virtual IP `{vip}` already belongs to service `{owner}` in {first}: give it to one only"
                );
                report.refuse::<()>(line, Path::Item(&Path::Field(path, "vips"), index), reason);
            }
        }
    }

    pub fn workload(&mut self, workload: &Workload, node: &Node<'_>, path: &Path<'_>, report: &mut Report) {
        let line = line_of(node.field("uid"), node);
        if let Some(first) = claim(&mut self.workloads, &workload.uid, report.place(line)) {
            let (uid, first) = (&workload.uid, report.show(first));
            let reason = format!("uid `{uid}` is already taken in {first}: give each workload its own");
            report.refuse::<()>(line, Path::Field(path, "uid"), reason);
        }
    }

    pub fn policy(&mut self, policy: &Policy, node: &Node<'_>, path: &Path<'_>, report: &mut Report) {
        let line = line_of(node.field("name"), node);
        let name = (policy.namespace.clone(), policy.name.clone());
        if let Some(first) = claim(&mut self.policies, &name, report.place(line)) {
            let first = report.show(first);
            let reason = format!("policy `{policy}` is already defined in {first}: remove or rename one");
            report.refuse::<()>(line, Path::Field(path, "name"), reason);
        }
    }
}

/// Gives the earlier claim, which stays, if there is one.
fn claim<K: Clone + Eq + Hash, V: Clone>(taken: &mut HashMap<K, V>, name: &K, claim: V) -> Option<V> {
    let earlier = taken.get(name).cloned();
    if earlier.is_none() {
        taken.insert(name.clone(), claim);
    }
    earlier
}

fn line_of(field: Option<&Node<'_>>, item: &Node<'_>) -> u32 {
    field.unwrap_or(item).line
}
