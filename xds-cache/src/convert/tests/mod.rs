mod asked;
mod kept;
mod refused;

use evermesh_model::{Policy, Service, Workload};
use evermesh_proto::discovery::Resource;

use super::*;

/// What a resource says under its name.
fn understand(conversion: &Conversion, kind: Kind, resource: &Resource) -> Result<Understood, String> {
    let packed = resource.resource.as_ref().unwrap();
    conversion.understand(kind, &resource.name, packed).map_err(|error| error.to_string())
}

fn of_network(network: &str) -> Conversion {
    Conversion { network: network.into(), ..Conversion::default() }
}

fn service(conversion: &Conversion, resource: &Resource) -> Service {
    match understand(conversion, Kind::Address, resource).unwrap().meaning {
        Meaning::Service(service) => service,
        other => panic!("{other:?}"),
    }
}

/// With its hostname.
fn workload(conversion: &Conversion, resource: &Resource) -> (Workload, Option<SmolStr>) {
    match understand(conversion, Kind::Address, resource).unwrap().meaning {
        Meaning::Workload { workload, hostname } => (workload, hostname),
        other => panic!("{other:?}"),
    }
}

fn policy(resource: &Resource) -> Policy {
    match understand(&Conversion::default(), Kind::Authorization, resource).unwrap().meaning {
        Meaning::Policy(policy) => policy,
        other => panic!("{other:?}"),
    }
}
