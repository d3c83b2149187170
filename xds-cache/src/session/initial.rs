use std::collections::HashMap;

use evermesh_proto::discovery::{DeltaDiscoveryRequest, Node};
use prost::encoding::encoded_len_varint;

use crate::{Kind, Mesh};

/// Istiod receives no message that is larger than 4 MiB (the default of grpc-go), and ends the stream where one is: the
/// next would end the same way. Node and framing take a part of what is left.
const BYTES_MAX: usize = 3 << 20;

/// The first request of a kind. It says what is known where that helps and fits: then only what differs is sent (from Istio
/// 1.31 on), and what is gone is named. Otherwise everything comes again, and what did not come is gone.
pub(super) fn request(kind: Kind, node: Option<Node>, known: Option<&Mesh>) -> DeltaDiscoveryRequest {
    let initial_resource_versions = known.and_then(|mesh| versions(kind, mesh)).unwrap_or_default();
    DeltaDiscoveryRequest {
        node,
        type_url: kind.type_url().into(),
        initial_resource_versions,
        ..DeltaDiscoveryRequest::default()
    }
}

/// All of them, or none: a resource that is not named could not be named as gone.
fn versions(kind: Kind, mesh: &Mesh) -> Option<HashMap<String, String>> {
    // Istiod gives them no versions, and does not say which are gone.
    if kind == Kind::Authorization {
        return None;
    }
    let mut bytes = 0;
    let mut versions = HashMap::with_capacity(mesh.count(kind));
    for (name, version) in mesh.versions(kind) {
        bytes += encoded_len(name, version);
        if version.is_empty() || bytes > BYTES_MAX {
            return None;
        }
        versions.insert(name.to_string(), version.to_string());
    }
    Some(versions)
}

/// Bytes of an entry on the wire: tag and length of the entry, and of each of the two texts.
fn encoded_len(name: &str, version: &str) -> usize {
    let text = |text: &str| 1 + encoded_len_varint(text.len() as u64) + text.len();
    let entry = text(name) + text(version);
    1 + encoded_len_varint(entry as u64) + entry
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::samples::{of_workload, said, workload};

    fn knowing(count: usize) -> Mesh {
        let mut mesh = Mesh::default();
        let uid = |n| format!("Kubernetes//Pod/namespace-of-some-length/workload-of-some-length-{n:06}");
        let resources = (0..count).map(|n| of_workload(workload(&uid(n), [10, 0, 0, 1], &[])));
        mesh.take(said(resources.collect()));
        mesh
    }

    #[test]
    fn what_is_known_is_said_while_it_fits() {
        let request = |count| request(Kind::Address, None, Some(&knowing(count)));
        let fits = request(20_000);
        assert_eq!(fits.initial_resource_versions.len(), 20_000);
        assert!(fits.encoded_len() < BYTES_MAX + 1000, "{}", fits.encoded_len());
        assert_eq!(request(40_000).initial_resource_versions.len(), 0);
    }

    #[test]
    fn the_length_is_what_is_encoded() {
        let request = request(Kind::Address, None, Some(&knowing(100)));
        let entries: usize = request.initial_resource_versions.iter().map(|(n, v)| encoded_len(n, v)).sum();
        assert_eq!(request.encoded_len(), entries + 2 + Kind::Address.type_url().len());
    }

    #[test]
    fn one_without_a_version_and_none_is_said() {
        let mut mesh = knowing(3);
        let mut other = of_workload(workload("other", [10, 0, 0, 1], &[]));
        other.version.clear();
        mesh.take(said(vec![other]));
        assert_eq!(request(Kind::Address, None, Some(&mesh)).initial_resource_versions.len(), 0);
    }
}
