//! What real Istiods said, heard as a client hears it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod frames;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Resource};
use evermesh_xds_cache::{Conversion, Kind, Mesh, Said, Session};
use frames::{Frame, frames};
use insta::assert_json_snapshot;
use prost::Message as _;

/// One stream of a recording.
#[derive(Default)]
struct Stream {
    requests: Vec<DeltaDiscoveryRequest>,
    responses: Vec<DeltaDiscoveryResponse>,
}

impl Stream {
    /// Whether the recorder said what it knew of a kind when it opened the stream.
    fn claimed(&self, kind: Kind) -> bool {
        let first = self.requests.iter().find(|request| request.type_url == kind.type_url()).unwrap();
        !first.initial_resource_versions.is_empty()
    }
}

fn streams(release: &str) -> Vec<Stream> {
    let file = format!("../chaos-tests/fixtures/istiod-{release}.xds");
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let mut streams: Vec<Stream> = Vec::new();
    let mut read = 0;
    for frame in frames(&bytes) {
        read += 1;
        match frame {
            Frame::Begin(body) => {
                assert!(body.is_empty());
                streams.push(Stream::default());
            }
            Frame::Response(body) => {
                let response = DeltaDiscoveryResponse::decode(body).unwrap();
                streams.last_mut().unwrap().responses.push(response);
            }
            Frame::Other(kind, body) => {
                assert_eq!(kind, 1, "a request");
                let request = DeltaDiscoveryRequest::decode(body).unwrap();
                streams.last_mut().unwrap().requests.push(request);
            }
        }
    }
    assert!(read > 80 && streams.len() > 5, "{read} messages of {} streams", streams.len());
    streams
}

/// What a control plane has said and not taken back, in the simplest way.
type Held = BTreeMap<(Kind, String), Resource>;

/// A mesh that hears a recording, and what it should know.
struct Listener {
    mesh: Mesh,
    held: Held,
}

impl Listener {
    /// Claims what it knows where the recorder did.
    fn hear(&mut self, stream: &Stream) {
        let known = stream.claimed(Kind::Address).then_some(&self.mesh);
        let (mut session, requests) = Session::open(Node::default(), known);
        let claims = |kind: Kind| {
            let request = requests.iter().find(|request| request.type_url == kind.type_url());
            !request.unwrap().initial_resource_versions.is_empty()
        };
        let mut unheard = BTreeSet::from(Kind::ALL);
        for response in &stream.responses {
            let (said, _) = session.receive(response.clone()).unwrap().into_parts();
            assert_eq!(said.everything, unheard.remove(&said.kind) && !claims(said.kind), "{}", said.kind);
            self.hold(&said);
            let taken = self.mesh.take(said);
            assert_eq!(taken.rejected, []);
            self.knows_what_is_held();
        }
        assert!(session.is_synced());
    }

    fn hold(&mut self, said: &Said) {
        let kind = said.kind;
        self.held.retain(|(other, _), _| *other != kind || !said.everything);
        for name in &said.removed {
            self.held.remove(&(kind, name.clone()));
        }
        for resource in &said.resources {
            self.held.insert((kind, resource.name.clone()), resource.clone());
        }
    }

    fn knows_what_is_held(&self) {
        let version = |((kind, name), resource): (&(Kind, String), &Resource)| {
            ((*kind, name.clone()), resource.version.clone())
        };
        let known = |kind| {
            let versions = self.mesh.versions(kind);
            versions.map(move |(name, version)| ((kind, name.to_string()), version.to_string()))
        };
        let known: BTreeMap<_, _> = Kind::ALL.into_iter().flat_map(known).collect();
        assert_eq!(known, self.held.iter().map(version).collect());
        let fresh = afresh(&self.held);
        assert_eq!(self.mesh.snapshot(), fresh.snapshot());
        assert_eq!(self.mesh.digest(), fresh.digest());
    }
}

fn afresh(held: &Held) -> Mesh {
    let mut mesh = Mesh::new(Conversion::default());
    for kind in Kind::ALL {
        let of_kind = held.iter().filter(|((other, _), _)| *other == kind);
        let resources = of_kind.map(|(_, resource)| resource.clone()).collect();
        assert_eq!(mesh.take(Said { kind, resources, removed: vec![], everything: true }).rejected, []);
    }
    mesh
}

fn hear<'a>(streams: impl IntoIterator<Item = &'a Stream>) -> Mesh {
    let mut listener = Listener { mesh: Mesh::new(Conversion::default()), held: Held::new() };
    for stream in streams {
        listener.hear(stream);
    }
    listener.mesh
}

/// For people.
fn view(mesh: &Mesh) -> serde_json::Value {
    let snapshot = mesh.snapshot();
    let services: Vec<_> = snapshot.services().collect();
    let workloads: Vec<_> = snapshot.workloads().collect();
    let policies: Vec<_> = snapshot.policies().map(ToString::to_string).collect();
    serde_json::json!({
        "services": services,
        "workloads": workloads,
        "policies": policies,
        "hostnames": mesh.hostnames().collect::<Vec<_>>(),
        "warnings": mesh.warnings(),
    })
}

#[test]
fn what_istiod_1_30_says_is_understood() {
    assert_json_snapshot!(view(&hear(&streams("1.30"))));
}

#[test]
fn what_istiod_1_31_says_is_understood() {
    assert_json_snapshot!(view(&hear(&streams("1.31"))));
}

/// The last stream of the recording claims everything that its recorder held.
#[test]
fn what_is_claimed_is_what_another_client_claims() {
    let streams = streams("1.31");
    let (last, before) = streams.split_last().unwrap();
    let mesh = hear(before);
    let (_, requests) = Session::open(Node::default(), Some(&mesh));
    let claimed = &requests[0].initial_resource_versions;
    assert_eq!(*claimed, last.requests[0].initial_resource_versions);
    assert_eq!(claimed.len(), 14);
}
