//! What is known, resource by resource, for people and for other processes.

use std::sync::Arc;

use evermesh_model::{Policy, Service, SmolStr, VirtualIp, Workload};
use evermesh_proto::admin::v1::{RefusedResource, Resource, resource::Kind as Shown};

use super::{Mesh, Name, known::Known, known::Part};
use crate::{Demands, Kind};

/// A resource that is in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Which.
    pub name: Name,
    /// As the control plane numbers it; may be empty.
    pub version: SmolStr,
    /// What it says.
    pub says: Says,
    /// What it asks for and is not done.
    pub demands: Demands,
}

/// What a resource says, as far as it counts.
#[derive(Clone, Debug, PartialEq)]
pub enum Says {
    /// A service.
    Service {
        /// With its own virtual IPs.
        service: Arc<Service>,
        /// Those that it claims and another service has.
        lost: Vec<VirtualIp>,
        /// Ports whose flows are left alone.
        left_alone: Vec<u16>,
    },
    /// A workload.
    Workload {
        /// With the addresses that its hostname leads to.
        workload: Arc<Workload>,
        /// Where its addresses come from if not from the control plane.
        hostname: Option<SmolStr>,
    },
    /// A policy.
    Policy(Arc<Policy>),
}

impl Mesh {
    /// The names of all resources that are in force, in order.
    pub fn names(&self) -> Vec<Name> {
        let of = |kind| {
            let mut names: Vec<_> = self.known.of(kind).names().cloned().collect();
            names.sort_unstable();
            names.into_iter().map(move |name| Name { kind, name })
        };
        Kind::ALL.into_iter().flat_map(of).collect()
    }

    /// The resource of that name.
    pub fn listed(&self, name: &Name) -> Option<Listed> {
        let known = self.known.of(name.kind).get(&name.name)?;
        let (version, demands) = (known.version.clone(), known.demands);
        Some(Listed { name: name.clone(), version, says: self.says(known), demands })
    }

    /// Every resource that is not understood; of many, some.
    pub fn listed_refused(&self) -> impl Iterator<Item = RefusedResource> {
        self.refused.iter().map(|(name, reason)| RefusedResource {
            kind: name.kind.to_string(),
            name: name.name.to_string(),
            reason: reason.to_owned(),
        })
    }

    fn says(&self, known: &Known) -> Says {
        match &known.part {
            Part::Service(service) => {
                let lost = service.vips.iter().filter(|vip| !self.claims.has(&service.key, vip));
                let own = self.snapshot.service(&service.key).unwrap_or(service);
                let left_alone = self.passing.of(&service.key).collect();
                Says::Service { service: own.clone(), lost: lost.cloned().collect(), left_alone }
            }
            Part::Workload { workload, hostname } => {
                let resolved = self.snapshot.workload(&workload.uid).unwrap_or(workload);
                Says::Workload { workload: resolved.clone(), hostname: hostname.clone() }
            }
            Part::Policy(policy) => Says::Policy(policy.clone()),
        }
    }
}

impl Listed {
    /// As the agent's admin interface tells it.
    pub fn encode(&self) -> Result<Resource, serde_json::Error> {
        let (kind, says) = match &self.says {
            Says::Service { service, .. } => (Shown::Service, serde_json::to_string(service)),
            Says::Workload { workload, .. } => (Shown::Workload, serde_json::to_string(workload)),
            Says::Policy(policy) => (Shown::Policy, serde_json::to_string(policy)),
        };
        let (lost, left_alone): (&[VirtualIp], &[u16]) = match &self.says {
            Says::Service { lost, left_alone, .. } => (lost, left_alone),
            _ => (&[], &[]),
        };
        let left_alone = left_alone.iter().map(|port| format!("port {port}, which is left alone"));
        let hostname =
            if let Says::Workload { hostname, .. } = &self.says { hostname.as_ref() } else { None };
        Ok(Resource {
            kind: kind.into(),
            name: self.name.name.to_string(),
            version: self.version.to_string(),
            says: says?,
            hostname: hostname.map(ToString::to_string),
            lost: lost.iter().map(ToString::to_string).collect(),
            not_done: self.demands.iter().map(|demand| demand.to_string()).chain(left_alone).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Conversion, Said,
        samples::{garbage, of_service, of_workload, policy, said, service, waypoint, workload},
    };

    fn mesh() -> Mesh {
        let mut mesh = Mesh::new(Conversion::default());
        let mut web = service("web", &[[10, 96, 0, 1], [10, 96, 0, 2]]);
        web.waypoint = waypoint();
        let rival = service("api", &[[10, 96, 0, 2]]);
        let mut outside = workload("w2", [0; 4], &["web"]);
        (outside.addresses, outside.hostname) = (vec![], "db.example.com".into());
        let resources = vec![
            of_service(web),
            of_service(rival),
            of_workload(workload("w1", [10, 0, 0, 1], &["web"])),
            of_workload(outside),
            garbage(Kind::Address, "odd"),
        ];
        mesh.take(said(resources));
        mesh.take(Said { kind: Kind::Authorization, ..said(vec![policy("p1")]) });
        mesh.resolve("db.example.com", vec!["10.9.9.9".parse().unwrap()]);
        mesh
    }

    #[test]
    fn everything_that_is_known_is_listed_as_it_is_in_force() {
        let mesh = mesh();
        let listed = mesh.names().into_iter().filter_map(|name| mesh.listed(&name));
        let listed: Vec<_> = listed.map(|listed| listed.encode().unwrap()).collect();
        let told = |name: &str| listed.iter().find(|resource| resource.name == name).unwrap();
        assert_eq!(told("demo/web").lost, ["10.96.0.2"]);
        assert_eq!(told("demo/web").not_done, ["a waypoint on the way"]);
        let web: Service = serde_json::from_str(&told("demo/web").says).unwrap();
        assert_eq!(Some(&Arc::new(web)), mesh.snapshot().services().find(|it| it.key.hostname == "web"));
        assert_eq!(told("w2").hostname.as_deref(), Some("db.example.com"));
        let resolved: Workload = serde_json::from_str(&told("w2").says).unwrap();
        assert_eq!(resolved.addresses[..], ["10.9.9.9".parse::<std::net::IpAddr>().unwrap()]);
        assert_eq!(told("demo/p1").kind(), Shown::Policy);
        let refused: Vec<_> = mesh.listed_refused().collect();
        assert_eq!((refused.len(), refused[0].name.as_str()), (1, "odd"));
    }

    #[test]
    fn names_are_in_order() {
        let names: Vec<_> = mesh().names().iter().map(|name| name.name.to_string()).collect();
        assert_eq!(names, ["demo/api", "demo/web", "w1", "w2", "demo/p1"]);
    }
}
