use std::vec;

use evermesh_proto::admin::v1::ListResourcesResponse;
use evermesh_xds_cache::{Mesh, Name};
use prost::Message as _;
use tonic::Status;

/// A message is full with so many resources, or so many bytes and one resource.
const RESOURCES: usize = 256;
const BYTES: usize = 256 << 10;

/// What is known of a control plane, message by message. The mesh is a value of its own: it may change meanwhile for
/// everybody else, and a message is made when the one before was taken.
#[derive(Debug)]
pub struct Pages {
    mesh: Mesh,
    left: vec::IntoIter<Name>,
    begun: bool,
}

impl Pages {
    pub fn of(mesh: Mesh) -> Self {
        Self { left: mesh.names().into_iter(), mesh, begun: false }
    }

    fn fill(&mut self) -> Result<ListResourcesResponse, Status> {
        let mut page = ListResourcesResponse::default();
        if !self.begun {
            page.refused.extend(self.mesh.listed_refused());
        }
        let mut bytes = 0;
        for listed in self.left.by_ref().filter_map(|name| self.mesh.listed(&name)) {
            let resource = listed.encode().map_err(|error| Status::internal(error.to_string()))?;
            bytes += resource.encoded_len();
            page.resources.push(resource);
            if page.resources.len() == RESOURCES || bytes >= BYTES {
                break;
            }
        }
        Ok(page)
    }
}

/// The first one comes in any case.
impl Iterator for Pages {
    type Item = Result<ListResourcesResponse, Status>;

    fn next(&mut self) -> Option<Self::Item> {
        let page = self.fill();
        let is_over = self.begun && page.as_ref().is_ok_and(|page| page.resources.is_empty());
        self.begun = true;
        (!is_over).then_some(page)
    }
}

#[cfg(test)]
mod tests {
    use evermesh_proto::{
        discovery::{Packed, Resource},
        workload::{Address, Workload, address::Type},
    };
    use evermesh_xds_cache::{Conversion, Kind, Said};

    use super::*;

    fn workload(uid: &str, name: &str) -> Resource {
        let workload = Workload { uid: uid.into(), name: name.into(), ..Workload::default() };
        let value = Address { r#type: Some(Type::Workload(workload)) }.encode_to_vec().into();
        let resource = Some(Packed { type_url: Kind::Address.type_url().into(), value });
        Resource { name: uid.into(), resource, ..Resource::default() }
    }

    fn pages(resources: Vec<Resource>) -> Vec<ListResourcesResponse> {
        let mut mesh = Mesh::new(Conversion::default());
        mesh.take(Said { kind: Kind::Address, resources, removed: vec![], everything: true });
        Pages::of(mesh).map(Result::unwrap).collect()
    }

    fn names(pages: &[ListResourcesResponse]) -> Vec<&str> {
        pages.iter().flat_map(|page| &page.resources).map(|resource| resource.name.as_str()).collect()
    }

    #[test]
    fn everything_is_told_once_in_messages_of_a_few() {
        let uids: Vec<_> = (0..1000).map(|n| format!("w{n:04}")).collect();
        let pages = pages(uids.iter().map(|uid| workload(uid, "")).collect());
        assert_eq!(names(&pages), uids);
        assert!(pages.iter().all(|page| page.resources.len() <= RESOURCES), "{}", pages.len());
    }

    #[test]
    fn a_message_is_no_larger_for_large_resources() {
        let long = "x".repeat(100 << 10);
        let pages = pages((0..9).map(|n| workload(&format!("w{n}"), &long)).collect());
        assert_eq!(pages.iter().map(|page| page.resources.len()).collect::<Vec<_>>(), [3, 3, 3]);
    }

    #[test]
    fn what_is_refused_is_in_the_first_message_even_if_there_is_nothing_else() {
        let odd = Resource { name: "odd".into(), ..Resource::default() };
        let pages = pages(vec![odd]);
        assert_eq!((pages.len(), pages[0].refused[0].name.as_str()), (1, "odd"));
    }
}
