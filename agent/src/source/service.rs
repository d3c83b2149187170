use evermesh_model::{Port, Protocol, Service, ServiceKey, VirtualIp};

use super::{
    balancing::balancing,
    collection::{list_of, map_of},
    fields::Fields,
    gateway::{waypoint, weighted_waypoints},
    path::Path,
    report::{Note, Report},
    value::{any_port, name, one_of, port_key, range, text, truth, virtual_ip},
    yaml::{Node, Value},
};

/// One item of `services`.
pub(super) fn service(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Service> {
    let mut fields = Fields::of(node, path, report)?;
    let short = fields.required("name", "write the service's short name", report, name);
    let namespace = fields.required("namespace", "write the service's namespace", report, name);
    let hint = "write the fully qualified name, like web.demo.svc.cluster.local";
    let hostname = fields.required("hostname", hint, report, name);
    let vips = vips(&mut fields, report);
    let hint = "write its ports, like `{80: 8080}`";
    let ports = fields.required("ports", hint, report, map_of(port_key, offer));
    let balancing = balancing(&mut fields, report);
    not_kept(&mut fields, report);
    fields.finish(report);
    let key = ServiceKey { namespace: namespace?.into(), hostname: hostname?.into() };
    Some(Service { name: short?.into(), key, vips: vips?, ports: ports?, balancing, withheld: false })
}

fn vips(fields: &mut Fields<'_>, report: &mut Report) -> Option<Vec<VirtualIp>> {
    let hint = "write its virtual IPs, or `[]` for a headless service";
    fields.required("vips", hint, report, list_of(virtual_ip))
}

/// What a port leads to: a target port (0: each workload names its own), or a map that also says the protocols.
fn offer(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Port> {
    match node.value {
        Value::Map(_) => port_with_protocols(node, path, report),
        _ => Some(Port::new(any_port(node, path, report)?, BOTH.to_vec())),
    }
}

const BOTH: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

fn port_with_protocols(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Port> {
    let mut fields = Fields::of(node, path, report)?;
    let hint = "write the port of the workloads, or 0 if each names its own";
    let target = fields.required("targetPort", hint, report, any_port);
    let protocols = fields.optional("protocols", report, protocols);
    fields.finish(report);
    Some(Port::new(target?, protocols.unwrap_or_else(|| BOTH.to_vec())))
}

fn protocols(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<Vec<Protocol>> {
    let word = one_of(&[("TCP", Protocol::Tcp), ("UDP", Protocol::Udp)]);
    let mut protocols = list_of(word)(node, path, report)?;
    protocols.sort_unstable();
    protocols.dedup();
    if protocols.is_empty() {
        return report.refuse(node.line, path, "names no protocol: write TCP, UDP or both, or leave it out");
    }
    Some(protocols)
}

/// What the format has and the model has not: right types are all that is asked of it.
fn not_kept(fields: &mut Fields<'_>, report: &mut Report) {
    fields.optional("subjectAltNames", report, list_of(text));
    fields.optional("canonical", report, truth);
    fields.nullable("ipFamilies", report, one_of(&[("Dual", ()), ("IPv4", ()), ("IPv6", ())]));
    fields.optional("visibility", report, visibility);
    fields.optional("cidrVips", report, cidr_vips);
    fields.optional("endpoints", report, endpoints);
    fields.nullable("waypoint", report, waypoint);
    fields.optional("weightedWaypoints", report, weighted_waypoints);
}

fn visibility(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    if one_of(&[("Public", false), ("Namespace", true)])(node, path, report)? {
        report.note(node.line, Note::Unused("visibility", "every enrolled pod reaches the service"));
    }
    Some(())
}

fn cidr_vips(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    if !list_of(cidr_vip)(node, path, report)?.is_empty() {
        report.note(node.line, Note::Unused("cidrVips", "traffic to these ranges is left alone"));
    }
    Some(())
}

fn cidr_vip(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let mut fields = Fields::of(node, path, report)?;
    fields.required("network", "write its network, or `\"\"` for this one", report, text);
    fields.required("cidr", "write a range like 10.0.0.0/8", report, range);
    fields.finish(report);
    Some(())
}

fn endpoints(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    if !map_of(text, endpoint)(node, path, report)?.is_empty() {
        let instead = "a workload stands behind the services that it names itself";
        report.note(node.line, Note::Unused("endpoints", instead));
    }
    Some(())
}

fn endpoint(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let mut fields = Fields::of(node, path, report)?;
    fields.required("workloadUid", "write the uid of a workload", report, text);
    fields.required("port", "write its ports, like `{80: 8080}`", report, map_of(port_key, any_port));
    let status = one_of(&[("Healthy", ()), ("Unhealthy", ())]);
    fields.required("status", "write Healthy or Unhealthy", report, status);
    fields.finish(report);
    Some(())
}
