use std::{fmt, net::IpAddr};

use evermesh_model::{Passes, Policy, PolicyScope, Port, Service, Workload};
use evermesh_proto::admin::v1::{RefusedResource, Resource, resource::Kind};
use serde::Serialize;
use serde_json::Value;

use crate::{
    Failure,
    known::{Keeper, Known, says},
    output::columns,
};

/// `dump xds`.
#[derive(Debug, Serialize)]
pub struct Resources {
    from: Keeper,
    resources: Vec<ResourceView>,
    refused: Vec<RefusedView>,
}

/// A resource that is in force.
#[derive(Debug, Serialize)]
struct ResourceView {
    kind: &'static str,
    name: String,
    version: String,
    says: Value,
    /// Where a workload's addresses come from.
    hostname: Option<String>,
    /// Virtual IPs that it claims and another service has.
    lost: Vec<String>,
    /// What it asks for.
    not_done: Vec<String>,
    #[serde(skip)]
    line: String,
}

/// A resource that is not understood.
#[derive(Debug, Serialize)]
pub struct RefusedView {
    kind: String,
    name: String,
    reason: String,
}

impl Resources {
    /// Those with this in their names, by kind and name.
    pub fn of(known: Known, name: Option<&str>) -> Result<Self, Failure> {
        let wanted = |found: &str| name.is_none_or(|name| found.contains(name));
        let resources = known.resources.into_iter().filter(|resource| wanted(&resource.name));
        let mut resources: Vec<_> = resources.map(ResourceView::of).collect::<Result<_, _>>()?;
        resources.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        let refused = known.refused.into_iter().filter(|refused| wanted(&refused.name));
        Ok(Self { from: known.from, resources, refused: refused.map(Into::into).collect() })
    }
}

impl ResourceView {
    fn of(resource: Resource) -> Result<Self, Failure> {
        let (kind, line) = match resource.kind() {
            Kind::Service => ("service", service(&says(&resource)?)),
            Kind::Workload => ("workload", workload(&says(&resource)?, resource.hostname.as_deref())),
            Kind::Policy => ("policy", policy(&says(&resource)?)),
        };
        let says = says(&resource)?;
        let Resource { name, version, hostname, lost, not_done, .. } = resource;
        Ok(Self { kind, name, version, says, hostname, lost, not_done, line })
    }

    /// What it does not get.
    fn wanting(&self) -> String {
        let lost = self.lost.iter().map(|vip| format!("{vip}, which another service has"));
        lost.chain(self.not_done.iter().cloned()).collect::<Vec<_>>().join("; ")
    }
}

fn service(service: &Service) -> String {
    let vips = list(&service.vips);
    let port = |(port, offer): (&u16, &Port)| match (offer.target_port, offer.passes) {
        (_, Passes::Always) => format!("{port} to several"),
        (0, _) => format!("{port} as each workload says"),
        (target, _) => format!("{port} to {target}"),
    };
    let at = if vips.is_empty() { "no virtual IP".to_owned() } else { vips };
    format!("{at}; {}{}", list(service.ports.iter().map(port)), withheld(service.withheld))
}

fn workload(workload: &Workload, hostname: Option<&str>) -> String {
    let addresses = list::<IpAddr>(workload.addresses.iter().copied());
    let at = match (hostname, addresses.as_str()) {
        (Some(hostname), "") => format!("{hostname}, which leads nowhere"),
        (Some(hostname), addresses) => format!("{addresses} ({hostname})"),
        (None, "") => "no address".to_owned(),
        (None, addresses) => addresses.to_owned(),
    };
    let behind = list(workload.services.iter().map(|(key, _)| key.clone()));
    let behind = if behind.is_empty() { String::new() } else { format!("; behind {behind}") };
    let health = format!("{:?}", workload.health).to_lowercase();
    format!("{at}{behind}; {health}{}", withheld(workload.withheld))
}

fn policy(policy: &Policy) -> String {
    let scope = match policy.scope {
        PolicyScope::Global => "everywhere",
        PolicyScope::Namespace => "in its namespace",
        PolicyScope::WorkloadSelector => "for workloads that name it",
    };
    format!("{} {scope}; not enforced", policy.action)
}

fn withheld(withheld: bool) -> &'static str {
    if withheld { "; connections are refused" } else { "" }
}

fn list<T: ToString>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| one.to_string()).collect::<Vec<_>>().join(", ")
}

impl From<RefusedResource> for RefusedView {
    fn from(RefusedResource { kind, name, reason }: RefusedResource) -> Self {
        Self { kind, name, reason }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.resources.is_empty() && self.refused.is_empty() {
            return f.write_str("nothing of that name is known of the control plane");
        }
        if self.from == Keeper::Database {
            writeln!(f, "No agent answers: this is what is kept on disk.\n")?;
        }
        let row = |r: &ResourceView| {
            [r.kind.to_owned(), r.name.clone(), r.version.clone(), r.line.clone(), r.wanting()]
        };
        let header = ["KIND", "NAME", "VERSION", "SAYS", "NOT DONE"];
        f.write_str(&columns(header, self.resources.iter().map(row)))?;
        if !self.refused.is_empty() {
            let row = |r: &RefusedView| [r.kind.clone(), r.name.clone(), r.reason.clone()];
            let header = ["REFUSED", "NAME", "REASON"];
            write!(f, "\n\n{}", columns(header, self.refused.iter().map(row)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use evermesh_model::{PolicyAction, Protocol, ServiceKey, VirtualIp, WorkloadUid};

    use super::*;

    fn resource(kind: Kind, name: &str, says: &impl Serialize) -> Resource {
        let says = serde_json::to_string(says).unwrap();
        Resource { kind: kind.into(), name: name.into(), version: "7".into(), says, ..Resource::default() }
    }

    fn known() -> Known {
        let key = ServiceKey { namespace: "demo".into(), hostname: "web.demo.svc".into() };
        let address = "10.96.0.10".parse().unwrap();
        let offer = |target_port| Port::new(target_port, vec![Protocol::Tcp]);
        let web = Service {
            name: "web".into(),
            key: key.clone(),
            vips: vec![VirtualIp { network: "".into(), address }],
            ports: [(80, offer(8080)), (443, offer(0))].into(),
            withheld: true,
            ..Service::default()
        };
        let workload = |uid: &str, addresses: &[&str]| Workload {
            uid: WorkloadUid::new(uid),
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            services: [(key.clone(), BTreeMap::new())].into(),
            ..Workload::default()
        };
        let deny = Policy {
            name: "deny-all".into(),
            namespace: "demo".into(),
            scope: PolicyScope::Namespace,
            action: PolicyAction::Deny,
            dry_run: false,
            rules: Value::Null,
        };
        let not_done = vec!["a waypoint on the way".to_owned()];
        let lost = vec!["10.96.0.11".to_owned()];
        let hostname = Some("db.example.com".to_owned());
        Known {
            from: Keeper::Agent,
            resources: vec![
                Resource { not_done, lost, ..resource(Kind::Service, "demo/web.demo.svc", &web) },
                resource(Kind::Workload, "demo/web-1", &workload("demo/web-1", &["10.0.0.1", "fd00::1"])),
                Resource { hostname, ..resource(Kind::Workload, "demo/db", &workload("demo/db", &[])) },
                resource(Kind::Policy, "demo/deny-all", &deny),
            ],
            refused: vec![RefusedResource {
                kind: "Address".into(),
                name: "demo/web-odd".into(),
                reason: "lacks uid".into(),
            }],
        }
    }

    #[test]
    fn everything_that_is_known_is_listed() {
        insta::assert_snapshot!(Resources::of(known(), None).unwrap());
        let kept = Known { from: Keeper::Database, ..known() };
        insta::assert_snapshot!("from_the_disk", Resources::of(kept, None).unwrap());
    }

    #[test]
    fn a_part_of_a_name_narrows_the_list() {
        insta::assert_snapshot!(Resources::of(known(), Some("web-")).unwrap());
        insta::assert_snapshot!("no_such_name", Resources::of(known(), Some("api")).unwrap());
    }

    #[test]
    fn what_is_known_is_listed_as_json() {
        let resources = Resources::of(known(), Some("demo/web")).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&resources).unwrap());
    }

    #[test]
    fn what_another_release_says_is_told_by_name() {
        let mut known = known();
        known.resources[0].says = "{}".into();
        let error = Resources::of(known, None).unwrap_err().to_string();
        assert!(error.starts_with("demo/web.demo.svc is not as this release has it"), "{error}");
    }
}
