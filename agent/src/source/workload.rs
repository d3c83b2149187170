use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use evermesh_model::{Health, Locality, ServiceKey, Workload, WorkloadUid};

use super::{
    collection::{list_of, map_of},
    fields::Fields,
    gateway::{application_tunnel, network_gateway, waypoint},
    path::Path,
    report::{Note, Report},
    value::{address, count, name, one_of, port, port_key, service_key, text, truth},
    yaml::Node,
};

/// One item of `workloads`.
pub(super) fn workload(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Workload> {
    let mut fields = Fields::of(node, path, report)?;
    let addresses = workload_ips(&mut fields, report);
    let namespace = fields.required("namespace", "write the workload's namespace", report, name);
    let name = fields.optional("name", report, text);
    let uid = uid(&mut fields, namespace.as_deref(), name.as_deref(), report);
    let node = fields.optional("node", report, text);
    let cluster = fields.optional("clusterId", report, text);
    let locality = fields.optional("locality", report, locality);
    let network = fields.optional("network", report, text);
    let health = fields.optional("status", report, one_of(&HEALTH));
    let capacity = fields.optional("capacity", report, count);
    let revision = fields.optional("canonicalRevision", report, text);
    let services = fields.optional("services", report, services);
    not_kept(&mut fields, report);
    fields.finish(report);
    Some(Workload {
        uid: uid?,
        name: name.unwrap_or_default().into(),
        namespace: namespace?.into(),
        addresses: addresses?.into_iter().collect(),
        node: node.unwrap_or_default().into(),
        cluster: cluster.unwrap_or_default().into(),
        locality: Arc::new(locality.unwrap_or_default()),
        network: network.unwrap_or_default().into(),
        health: health.unwrap_or_default(),
        capacity: capacity.unwrap_or(1),
        revision: revision.unwrap_or_default().into(),
        services: services.unwrap_or_default().into(),
        withheld: false,
    })
}

fn workload_ips(fields: &mut Fields<'_>, report: &mut Report) -> Option<Vec<IpAddr>> {
    let hint = "write its addresses, or `[]` when it has none";
    fields.required("workloadIps", hint, report, list_of(address))
}

/// A workload without `uid` is known by namespace and name, which must then be there.
fn uid(
    fields: &mut Fields<'_>,
    namespace: Option<&str>,
    name: Option<&str>,
    report: &mut Report,
) -> Option<WorkloadUid> {
    let given = fields.optional("uid", report, text);
    match (given.as_deref(), name.filter(|name| !name.is_empty())) {
        (Some(uid), _) if !uid.is_empty() => Some(WorkloadUid::new(uid)),
        (_, Some(name)) => namespace.map(|namespace| WorkloadUid::new(format!("{namespace}/{name}"))),
        _ => fields.refuse("uid", "is missing, and so is `name`: write one of the two", report),
    }
}

/// `Draining` is of our own.
const HEALTH: [(&str, Health); 3] =
    [("Healthy", Health::Healthy), ("Unhealthy", Health::Unhealthy), ("Draining", Health::Draining)];

fn locality(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Locality> {
    let mut fields = Fields::of(node, path, report)?;
    let mut part = |name| fields.optional(name, report, text).unwrap_or_default();
    let locality = Locality {
        region: part("region").into(),
        zone: part("zone").into(),
        subzone: part("subzone").into(),
    };
    fields.finish(report);
    Some(locality)
}

/// Services it stands behind, with the ports on which it deviates.
fn services(
    node: &Node<'_>,
    path: &Path<'_>,
    report: &mut Report,
) -> Option<BTreeMap<ServiceKey, BTreeMap<u16, u16>>> {
    map_of(service_key, map_of(port_key, port))(node, path, report)
}

/// What the format has and the model has not: right types are all that is asked of it.
fn not_kept(fields: &mut Fields<'_>, report: &mut Report) {
    for name in TEXTS {
        fields.optional(name, report, text);
    }
    fields.optional("nativeTunnel", report, truth);
    fields.optional("networkMode", report, one_of(&[("Standard", ()), ("HostNetwork", ())]));
    fields.optional("authorizationPolicies", report, list_of(text));
    fields.optional("protocol", report, protocol);
    fields.nullable("waypoint", report, waypoint);
    fields.nullable("networkGateway", report, network_gateway);
    fields.nullable("applicationTunnel", report, application_tunnel);
}

const TEXTS: [&str; 6] =
    ["trustDomain", "serviceAccount", "workloadName", "workloadType", "canonicalName", "hostname"];

fn protocol(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let tunnelled = one_of(&[("TCP", false), ("HBONE", true)])(node, path, report)?;
    if tunnelled {
        report.note(node.line, Note::Unused("protocol: HBONE", "traffic is sent as it is, without a tunnel"));
    }
    Some(())
}
