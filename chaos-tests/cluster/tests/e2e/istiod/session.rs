//! A client as the proxies of ambient nodes are: it subscribes, acknowledges, and knows what it was told.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use evermesh_chaos_tests::{netns::Netns, wait};
use evermesh_proto::{
    discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Resource, Status},
    security::AUTHORIZATION,
    workload::{ADDRESS, Address, Service, Workload, address::Type},
};
use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};

use super::{
    recording::Recording,
    stream::{Stream, Trust},
};
use crate::scene::PATIENCE;

/// Resources of one type, by their names.
pub type Resources = BTreeMap<String, Resource>;

/// Versions of one type, by names of resources.
pub type Versions = HashMap<String, String>;

/// What a control plane has told, by type. It outlives streams.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<String, Resources>);

impl Held {
    pub fn of_type(&self, type_url: &str) -> Resources {
        self.0.get(type_url).cloned().unwrap_or_default()
    }

    pub fn versions(&self, type_url: &str) -> Versions {
        self.of_type(type_url).into_iter().map(|(name, resource)| (name, resource.version)).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.values().any(|resources| resources.contains_key(name))
    }

    pub fn workload(&self, name: &str) -> Option<Workload> {
        match self.address(name)?.r#type? {
            Type::Workload(workload) => Some(workload),
            Type::Service(_) => None,
        }
    }

    pub fn service(&self, name: &str) -> Option<Service> {
        match self.address(name)?.r#type? {
            Type::Service(service) => Some(service),
            Type::Workload(_) => None,
        }
    }

    fn address(&self, name: &str) -> Option<Address> {
        let resource = self.0.get(ADDRESS)?.get(name)?.resource.as_ref()?;
        Some(Address::decode(resource.value.clone()).unwrap())
    }

    fn apply(&mut self, response: &DeltaDiscoveryResponse) {
        let resources = self.0.entry(response.type_url.clone()).or_default();
        for name in &response.removed_resources {
            resources.remove(name);
        }
        let named = |resource: &Resource| (resource.name.clone(), resource.clone());
        resources.extend(response.resources.iter().map(named));
    }
}

/// One stream, and what was said on it.
pub struct Session<'a> {
    stream: Stream,
    pub held: &'a mut Held,
    recording: &'a mut Recording,
}

impl<'a> Session<'a> {
    /// Subscribes to all workloads, services and policies. `claimed` makes of a type and the versions that are held what is
    /// claimed.
    pub fn open(
        (from, istiod, trust): (&Netns, std::net::SocketAddr, Option<Trust>),
        claimed: impl Fn(&str, Versions) -> Versions,
        held: &'a mut Held,
        recording: &'a mut Recording,
    ) -> Self {
        recording.begin();
        let mut session = Self { stream: Stream::open(from, istiod, trust), held, recording };
        for type_url in [ADDRESS, AUTHORIZATION] {
            session.send(DeltaDiscoveryRequest {
                node: Some(node()),
                type_url: type_url.to_owned(),
                initial_resource_versions: claimed(type_url, session.held.versions(type_url)),
                ..DeltaDiscoveryRequest::default()
            });
        }
        session
    }

    /// Says what happens next.
    pub fn step(&mut self, what: &str) {
        self.recording.step(what);
    }

    /// Waits until one response of each type has come.
    pub fn await_first_responses(&mut self) {
        let mut missing = vec![ADDRESS, AUTHORIZATION];
        while !missing.is_empty() {
            let response = self.receive(PATIENCE).unwrap_or_else(|| panic!("no response for {missing:?}"));
            missing.retain(|&type_url| type_url != response.type_url);
        }
    }

    /// Takes responses until `holds`, and says how long that took.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Held) -> bool) -> Duration {
        let (begun, patience) = (Instant::now(), wait::stretched(PATIENCE));
        while !holds(self.held) {
            let left = patience.saturating_sub(begun.elapsed());
            self.receive(left).unwrap_or_else(|| panic!("awaited in vain: {what}"));
        }
        begun.elapsed()
    }

    /// Takes responses until none has come for that long.
    pub fn until_silent_for(&mut self, pause: Duration) {
        while self.receive(pause).is_some() {}
    }

    /// Refuses the next response, of whatever type.
    pub fn refuse_next(&mut self, why: &str) {
        let response = self.next(PATIENCE).unwrap();
        let detail = Status { code: 3, message: why.to_owned() };
        self.send(answer(&response, Some(detail)));
    }

    fn receive(&mut self, patience: Duration) -> Option<DeltaDiscoveryResponse> {
        let response = self.next(patience)?;
        self.held.apply(&response);
        self.send(answer(&response, None));
        Some(response)
    }

    fn next(&mut self, patience: Duration) -> Option<DeltaDiscoveryResponse> {
        let (at, response) = self.stream.next(patience)?.unwrap();
        self.recording.response(at, &response);
        Some(response)
    }

    fn send(&mut self, request: DeltaDiscoveryRequest) {
        self.recording.request(&request);
        self.stream.send(request);
    }
}

fn answer(response: &DeltaDiscoveryResponse, error_detail: Option<Status>) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        error_detail,
        ..DeltaDiscoveryRequest::default()
    }
}

/// The proxy of node 1, in the namespace of the control plane.
pub fn node() -> Node {
    let (ip, name, namespace) = ("10.77.0.11", "ztunnel-node1", "istio-system");
    let text = |value: &str| Value { kind: Some(Kind::StringValue(value.to_owned())) };
    let metadata = [
        ("NAME", name),
        ("NAMESPACE", namespace),
        ("INSTANCE_IPS", ip),
        ("NODE_NAME", "node1"),
        ("CLUSTER_ID", "Kubernetes"),
    ];
    let fields = metadata.iter().map(|&(name, value)| (name.to_owned(), text(value))).collect();
    Node {
        id: format!("ztunnel~{ip}~{name}.{namespace}~{namespace}.svc.cluster.local"),
        metadata: Some(Struct { fields }),
        ..Node::default()
    }
}
