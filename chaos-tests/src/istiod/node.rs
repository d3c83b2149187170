//! Who a client says it is, in the first request of a stream.

use std::net::IpAddr;

use evermesh_proto::discovery::Node;
use prost_types::value::Kind;
use tonic::Status;

/// Node types that Istio knows.
const TYPES: [&str; 5] = ["sidecar", "router", "waypoint", "ztunnel", "agentgateway"];

/// Refuses a node without an id of the form `TYPE~IP~NAME~DOMAIN`, the address there or in the metadata.
pub(super) fn check(node: Option<&Node>) -> Result<(), Status> {
    let Some(node) = node.filter(|node| !node.id.is_empty()) else {
        return Err(Status::invalid_argument("missing node information"));
    };
    let parts: Vec<_> = node.id.split('~').collect();
    let &[kind, ip, _, _] = parts.as_slice() else {
        return Err(Status::invalid_argument(format!("missing parts in the service node {:?}", node.id)));
    };
    if !TYPES.contains(&kind) {
        let message = format!("invalid node type (valid types: {TYPES:?}) in the service node {:?}", node.id);
        return Err(Status::invalid_argument(message));
    }
    if !is_address(ip) && !has_instance_ips(node) {
        return Err(Status::invalid_argument("no valid IP address in the service node id or metadata"));
    }
    Ok(())
}

/// `INSTANCE_IPS` of the metadata: addresses with commas between them.
fn has_instance_ips(node: &Node) -> bool {
    let fields = node.metadata.as_ref().map(|metadata| &metadata.fields);
    let value = fields.and_then(|fields| fields.get("INSTANCE_IPS")).and_then(|value| value.kind.as_ref());
    matches!(value, Some(Kind::StringValue(list)) if list.split(',').all(is_address))
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}
