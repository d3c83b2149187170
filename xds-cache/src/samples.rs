//! Resources for tests.

use std::collections::BTreeMap;

use bytes::Bytes;
use evermesh_proto::{
    discovery::{Packed, Resource},
    security::{Authorization, Scope},
    workload::{Address, GatewayAddress, NetworkAddress, Port, PortList, Service, Workload, address::Type},
};
use prost::Message;

use crate::{Kind, Said};

pub fn service(host: &str, vips: &[[u8; 4]]) -> Service {
    let vip =
        |vip: &[u8; 4]| NetworkAddress { address: Bytes::copy_from_slice(vip), ..NetworkAddress::default() };
    Service {
        name: host.into(),
        namespace: "demo".into(),
        hostname: host.into(),
        addresses: vips.iter().map(vip).collect(),
        ports: vec![Port { service_port: 80, target_port: 8080, ..Port::default() }],
        ..Service::default()
    }
}

/// Behind the services of these hosts.
pub fn workload(uid: &str, address: [u8; 4], hosts: &[&str]) -> Workload {
    Workload {
        uid: uid.into(),
        name: uid.into(),
        namespace: "demo".into(),
        addresses: vec![Bytes::copy_from_slice(&address)],
        services: hosts.iter().map(|host| (format!("demo/{host}"), ports())).collect::<BTreeMap<_, _>>(),
        ..Workload::default()
    }
}

pub fn ports() -> PortList {
    PortList { ports: vec![Port { service_port: 80, target_port: 8080, ..Port::default() }] }
}

pub fn waypoint() -> Option<GatewayAddress> {
    Some(GatewayAddress { hbone_mtls_port: 15008, ..GatewayAddress::default() })
}

pub fn of_service(service: Service) -> Resource {
    let name = format!("{}/{}", service.namespace, service.hostname);
    resource(Kind::Address, &name, &Address { r#type: Some(Type::Service(service)) })
}

pub fn of_workload(workload: Workload) -> Resource {
    let name = workload.uid.clone();
    resource(Kind::Address, &name, &Address { r#type: Some(Type::Workload(workload)) })
}

pub fn policy(name: &str) -> Resource {
    of_policy(Authorization {
        name: name.into(),
        namespace: "demo".into(),
        scope: Scope::Namespace.into(),
        ..Authorization::default()
    })
}

pub fn of_policy(authorization: Authorization) -> Resource {
    let name = format!("{}/{}", authorization.namespace, authorization.name);
    resource(Kind::Authorization, &name, &authorization)
}

pub fn garbage(kind: Kind, name: &str) -> Resource {
    let value = Bytes::from_static(&[0xff; 7]);
    Resource {
        name: name.into(),
        resource: Some(Packed { type_url: kind.type_url().into(), value }),
        ..Resource::default()
    }
}

fn resource(kind: Kind, name: &str, message: &impl Message) -> Resource {
    let value: Bytes = message.encode_to_vec().into();
    let version = format!("{:x}", xxhash_rust::xxh3::xxh3_64(&value));
    let resource = Some(Packed { type_url: kind.type_url().into(), value });
    Resource { name: name.into(), version, resource, ..Resource::default() }
}

pub fn said(resources: Vec<Resource>) -> Said {
    Said { kind: Kind::Address, resources, removed: vec![], everything: false }
}
