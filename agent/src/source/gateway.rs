//! Fields that lead traffic over something in between. They are checked and not kept: nothing does so yet.

use super::{
    collection::list_of,
    fields::Fields,
    path::Path,
    report::{Note, Report},
    value::{any_port, count, one_of, text},
    yaml::Node,
};

const STRAIGHT: &str = "traffic goes straight to the workloads";

/// Where a gateway or waypoint is: `NETWORK/ADDRESS` or `NAMESPACE/HOSTNAME`, and the port of its tunnel.
fn gateway(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let mut fields = Fields::of(node, path, report)?;
    let hint = "write NETWORK/ADDRESS or NAMESPACE/HOSTNAME";
    fields.required("destination", hint, report, destination);
    fields.required("hboneMtlsPort", "write the port of its tunnel", report, any_port);
    fields.finish(report);
    Some(())
}

fn destination(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let text = text(node, path, report)?;
    if text.contains('/') {
        return Some(());
    }
    let reason = format!("`{text}` is no destination: write NETWORK/ADDRESS or NAMESPACE/HOSTNAME");
    report.refuse(node.line, path, reason)
}

pub(super) fn waypoint(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    report.note(node.line, Note::Unused("waypoint", STRAIGHT));
    gateway(node, path, report)
}

pub(super) fn network_gateway(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    report.note(node.line, Note::Unused("networkGateway", STRAIGHT));
    gateway(node, path, report)
}

pub(super) fn weighted_waypoints(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    report.note(node.line, Note::Unused("weightedWaypoints", STRAIGHT));
    list_of(weighted_waypoint)(node, path, report).map(drop)
}

fn weighted_waypoint(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    let mut fields = Fields::of(node, path, report)?;
    fields.required("destination", "write a map with `destination` and `hboneMtlsPort`", report, gateway);
    fields.required("weight", "write its share, as a whole number", report, count);
    fields.finish(report);
    Some(())
}

pub(super) fn application_tunnel(node: &Node<'_>, path: &Path<'_>, report: &mut Report) -> Option<()> {
    report.note(node.line, Note::Unused("applicationTunnel", STRAIGHT));
    let mut fields = Fields::of(node, path, report)?;
    let protocol = one_of(&[("NONE", ()), ("PROXY", ())]);
    fields.required("protocol", "write NONE or PROXY", report, protocol);
    fields.nullable("port", report, any_port);
    fields.finish(report);
    Some(())
}
