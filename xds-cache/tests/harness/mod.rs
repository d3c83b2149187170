//! Has a mesh hear whatever bytes say, and holds it against the simplest account of what was said. Panics where they differ.
//!
//! The bytes are [`frames`](crate::frames): a stream begins, and claims what is known if its body is not empty; a response; and
//! under 3, where a hostname leads.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use evermesh_model::{Service, Snapshot, UnusableAddress, VirtualIp};
use evermesh_proto::discovery::{DeltaDiscoveryResponse, Node, Packed, Resource};
use evermesh_xds_cache::{Conversion, Kind, Meaning, Mesh, Name, OnUnsupported, Said, Session};
use prost::Message as _;

use crate::frames::{Frame, frames};

/// A control plane that says nothing but nonsense does not fill the memory.
const REFUSED_MAX: usize = 100;
/// What Istiod receives at most.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// More hostnames than that are the same again.
const ADDRESSES_MAX: usize = 4;

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let mut history = History::new();
    for frame in frames(bytes) {
        match frame {
            Frame::Begin(claims) => history.begin(!claims.is_empty()),
            Frame::Response(bytes) => history.respond(bytes),
            Frame::Other(3, answer) => history.answer(answer),
            Frame::Other(..) => {}
        }
    }
    history.is_what_is_left_over();
}

/// A mesh, and what it was told.
struct History {
    conversion: Conversion,
    mesh: Mesh,
    session: Session,
    /// As the mesh says that they have changed: what is kept on disk.
    resources: BTreeMap<Name, Resource>,
    answers: BTreeMap<String, Vec<IpAddr>>,
}

impl History {
    fn new() -> Self {
        let conversion = Conversion { network: "here".into(), on_unsupported: OnUnsupported::Refuse };
        let (session, _) = Session::open(Node::default(), None);
        let mesh = Mesh::new(conversion.clone());
        Self { conversion, mesh, session, resources: BTreeMap::new(), answers: BTreeMap::new() }
    }

    fn begin(&mut self, claims: bool) {
        let (session, requests) = Session::open(Node::default(), claims.then_some(&self.mesh));
        assert_eq!(requests.len(), Kind::ALL.len());
        for request in requests {
            assert!(request.encoded_len() < REQUEST_BYTES_MAX, "{} bytes", request.encoded_len());
        }
        self.session = session;
    }

    fn respond(&mut self, bytes: &[u8]) {
        let Ok(response) = DeltaDiscoveryResponse::decode(bytes) else { return };
        // What makes no sense ends the stream, and the next one claims what is known.
        match self.session.receive(response) {
            Ok(received) => {
                if received.first {
                    self.mesh.forgive(received.said.kind);
                }
                self.take(received.into_parts().0);
            }
            Err(_) => self.begin(true),
        }
    }

    fn take(&mut self, said: Said) {
        let before = self.mesh.clone();
        let taken = self.mesh.take(said.clone());
        for rejected in &taken.rejected {
            assert!(!rejected.reason.is_empty(), "{:?} without a reason", rejected.name);
            assert!(said.resources.iter().any(|it| it.name == rejected.name.name), "{:?}", rejected.name);
        }
        for (name, known) in taken.changed {
            match known {
                Some(known) => drop(self.resources.insert(name.clone(), known.resource(&name))),
                None => assert!(self.resources.remove(&name).is_some(), "{name:?} went and was not there"),
            }
        }
        self.keeps_what_is_refused(&before, &said);
        self.has_what_is_left(&said);
        for hostname in before.hostnames().filter(|hostname| before.is_resolved(hostname)) {
            let is_wanted = self.mesh.hostnames().any(|other| other == hostname);
            assert_eq!(self.mesh.is_resolved(hostname), is_wanted, "the answer for {hostname}");
        }
        self.answers.retain(|hostname, _| self.mesh.is_resolved(hostname));
        self.is_as_said();
    }

    /// What cannot be understood leaves what was known, and is told as long as it was not said otherwise.
    fn keeps_what_is_refused(&self, before: &Mesh, said: &Said) {
        let is_good = |it: &Resource| understood(&self.conversion, said.kind, it).is_ok();
        let refused: BTreeSet<_> = self.mesh.refused().iter().map(|(name, _)| name.clone()).collect();
        assert!(refused.len() <= REFUSED_MAX);
        let may_be_full = before.refused().iter().count() + said.resources.len() > REFUSED_MAX;
        let given: BTreeSet<_> = said.resources.iter().map(|it| it.name.as_str()).collect();
        for name in given {
            let name = Name { kind: said.kind, name: name.into() };
            let mut all = said.resources.iter().filter(|it| it.name == name.name);
            if all.clone().all(|it| !is_good(it)) {
                let version = |mesh: &Mesh| {
                    mesh.versions(name.kind).find(|it| *it.0 == name.name).map(|it| it.1.clone())
                };
                assert_eq!(version(&self.mesh), version(before), "{name:?}");
            }
            if all.next_back().is_some_and(is_good) {
                assert!(!refused.contains(&name), "{name:?} is good");
            } else {
                assert!(refused.contains(&name) || may_be_full, "{name:?} is bad");
            }
        }
    }

    /// What is gone is gone, and nobody complains of it any more.
    fn has_what_is_left(&self, said: &Said) {
        let given: BTreeSet<_> = said.resources.iter().map(|it| it.name.as_str()).collect();
        let removed: BTreeSet<_> = said.removed.iter().map(String::as_str).collect();
        let known = self.mesh.versions(said.kind).map(|(name, _)| name);
        let refused = self.mesh.refused().iter().map(|(name, _)| name).filter(|name| name.kind == said.kind);
        for name in known.chain(refused.map(|name| &name.name)).map(|name| name.as_str()) {
            assert!(given.contains(name) || !said.everything && !removed.contains(name), "{name} is gone");
        }
    }

    /// The body: which of the hostnames, and the bytes of IPv4 addresses or, if the first bit is set, of IPv6 ones.
    fn answer(&mut self, body: &[u8]) {
        let Some((&first, bytes)) = body.split_first() else { return };
        let Some(hostname) = self.mesh.hostnames().nth(usize::from(first & 0x7f)).cloned() else { return };
        let v4 = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
        let v6 = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok();
        let addresses: Vec<_> = match first & 0x80 {
            0 => bytes.chunks_exact(4).filter_map(v4).take(ADDRESSES_MAX).collect(),
            _ => bytes.chunks_exact(16).filter_map(v6).take(ADDRESSES_MAX).collect(),
        };
        self.mesh.resolve(&hostname, addresses.clone());
        assert!(self.mesh.is_resolved(&hostname));
        self.answers.insert(hostname.to_string(), addresses);
        self.is_as_said();
    }

    fn is_as_said(&self) {
        let snapshot = self.mesh.snapshot();
        assert_eq!(*snapshot, self.simply());
        let parts =
            (snapshot.services().cloned(), snapshot.workloads().cloned(), snapshot.policies().cloned());
        assert_eq!(Snapshot::of_shared(parts.0, parts.1, parts.2).as_ref(), Ok(snapshot));
    }

    /// The mesh of these resources and answers, in the simplest way.
    fn simply(&self) -> Snapshot {
        let (mut services, mut workloads, mut policies) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (name, resource) in &self.resources {
            match understood(&self.conversion, name.kind, resource) {
                Ok(Meaning::Service(service)) => drop(services.insert(service.key.clone(), service)),
                Ok(Meaning::Workload { mut workload, hostname }) => {
                    let answer = hostname.iter().filter_map(|hostname| self.answers.get(hostname.as_str()));
                    let usable = |address: &IpAddr| UnusableAddress::of(*address).is_none();
                    workload.addresses.extend(answer.flatten().copied().filter(usable));
                    workloads.push(workload);
                }
                Ok(Meaning::Policy(policy)) => policies.push(policy),
                Err(reason) => panic!("{name:?} was taken: {reason}"),
            }
        }
        policies.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Snapshot::new(each_its_own(services.into_values()), workloads, policies).unwrap()
    }

    /// One who starts with what was kept knows the same.
    fn is_what_is_left_over(&self) {
        let mut fresh = Mesh::new(self.conversion.clone());
        for kind in Kind::ALL {
            let of_kind = self.resources.iter().filter(|(name, _)| name.kind == kind);
            let resources = of_kind.map(|(_, resource)| resource.clone()).collect();
            let taken = fresh.take(Said { kind, resources, removed: vec![], everything: true });
            assert_eq!(taken.rejected, []);
        }
        for (hostname, addresses) in &self.answers {
            fresh.resolve(hostname, addresses.clone());
        }
        let view = |mesh: &Mesh| (mesh.snapshot().clone(), mesh.digest(), mesh.warnings(), mesh.unresolved());
        assert_eq!(view(&fresh), view(&self.mesh));
    }
}

/// Virtual IPs belong to the first by name that claims them.
fn each_its_own(services: impl Iterator<Item = Service>) -> Vec<Service> {
    let mut owned: BTreeSet<VirtualIp> = BTreeSet::new();
    let own = |mut service: Service| {
        service.vips.retain(|vip| owned.insert(vip.clone()));
        service
    };
    services.map(own).collect()
}

fn understood(conversion: &Conversion, kind: Kind, resource: &Resource) -> Result<Meaning, String> {
    let packed: &Packed = resource.resource.as_ref().ok_or("comes without a resource")?;
    let understood = conversion.understand(kind, &resource.name, packed);
    understood.map(|understood| understood.meaning).map_err(|error| error.to_string())
}
