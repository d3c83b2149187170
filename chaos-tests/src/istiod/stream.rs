//! One stream, without its bytes: what a request means, and what is answered or pushed.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
};

use evermesh_proto::{
    discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource},
    security::AUTHORIZATION,
    workload::ADDRESS,
};
use tonic::Status;

use super::{
    Kind, Release, node,
    world::{Changed, World},
};

/// What the server remembers of one stream.
#[derive(Debug)]
pub(super) struct Stream {
    release: Release,
    introduced: bool,
    watched: BTreeMap<String, Watched>,
}

/// A type that the client asked for.
#[derive(Debug, Default)]
struct Watched {
    /// What the client is believed to have. Not kept for addresses, of which there are too many, but for the names
    /// that 1.30 learns from later requests.
    names: BTreeSet<String>,
    nonce_sent: String,
}

impl Stream {
    pub(super) fn new(release: Release) -> Self {
        Self { release, introduced: false, watched: BTreeMap::new() }
    }

    /// What a request is. Only a [`Kind::Subscription`] is to be answered.
    pub(super) fn hear(&mut self, request: &DeltaDiscoveryRequest) -> Result<Kind, Status> {
        if !self.introduced {
            node::check(request.node.as_ref())?;
            self.introduced = true;
        }
        if request.error_detail.is_some() {
            return Ok(Kind::Nack);
        }
        let Some(watched) = self.watched.get_mut(&request.type_url) else {
            return self.subscribe(request);
        };
        if !request.response_nonce.is_empty() && request.response_nonce != watched.nonce_sent {
            return Ok(Kind::Stale);
        }
        let changed = if request.type_url == ADDRESS && self.release == Release::V1_31 {
            !request.resource_names_subscribe.is_empty() || !request.resource_names_unsubscribe.is_empty()
        } else {
            learn(&mut watched.names, request)
        };
        Ok(match (changed, request.response_nonce.is_empty()) {
            (true, _) => Kind::Subscription,
            (false, true) => Kind::Empty,
            (false, false) => Kind::Ack,
        })
    }

    fn subscribe(&mut self, request: &DeltaDiscoveryRequest) -> Result<Kind, Status> {
        if request.type_url == ADDRESS && !is_wildcard(request) {
            return Err(Status::unimplemented(
                "this imitation of Istio serves addresses to wildcard subscriptions only",
            ));
        }
        let mut watched = Watched::default();
        if request.type_url != ADDRESS {
            learn(&mut watched.names, request);
        }
        self.watched.insert(request.type_url.clone(), watched);
        Ok(Kind::Subscription)
    }

    /// The answer to a subscription; nothing to a type that is not served.
    pub(super) fn answer(
        &mut self,
        request: &DeltaDiscoveryRequest,
        world: &World,
    ) -> Option<DeltaDiscoveryResponse> {
        let mut subscribed = BTreeSet::new();
        learn(&mut subscribed, request);
        match request.type_url.as_str() {
            ADDRESS => Some(self.all_addresses(subscribed, &request.initial_resource_versions, world)),
            AUTHORIZATION => {
                let narrowed = !subscribed.is_empty() || !request.resource_names_unsubscribe.is_empty();
                self.all_policies(narrowed.then_some(subscribed), world)
            }
            _ => None,
        }
    }

    /// What is pushed for a change: at most one response for each subscribed type, addresses first.
    pub(super) fn push(&mut self, changed: &Changed, world: &World) -> Vec<DeltaDiscoveryResponse> {
        let addresses = self.push_addresses(&changed.addresses, world);
        let policies = match changed.forced {
            true => self.all_policies(None, world),
            false => self.push_policies(&changed.policies, world),
        };
        addresses.into_iter().chain(policies).collect()
    }

    /// Takes note of a response that was sent.
    pub(super) fn sent(&mut self, type_url: &str, nonce: &str) {
        if let Some(watched) = self.watched.get_mut(type_url) {
            nonce.clone_into(&mut watched.nonce_sent);
        }
    }

    fn versioned(&self) -> bool {
        self.release == Release::V1_31
    }

    fn all_addresses(
        &self,
        mut removed: BTreeSet<String>,
        retained: &HashMap<String, String>,
        world: &World,
    ) -> DeltaDiscoveryResponse {
        removed.retain(|name| !world.addresses.contains_key(name));
        let skipped = |name, version| {
            self.versioned() && retained.get(name).is_some_and(|retained| retained == version)
        };
        let sent = world.addresses.iter().filter(|(name, stored)| !skipped(*name, stored.version()));
        let resources = sent.map(|(name, stored)| stored.address(name, self.versioned())).collect();
        response(ADDRESS, resources, removed, world)
    }

    fn push_addresses(&self, names: &BTreeSet<String>, world: &World) -> Option<DeltaDiscoveryResponse> {
        if names.is_empty() || !self.watched.contains_key(ADDRESS) {
            return None;
        }
        let (there, removed): (BTreeSet<_>, BTreeSet<_>) =
            names.iter().cloned().partition(|name| world.addresses.contains_key(name));
        let found = there.iter().filter_map(|name| Some((name, world.addresses.get(name)?)));
        let resources = found.map(|(name, stored)| stored.address(name, self.versioned())).collect();
        Some(response(ADDRESS, resources, removed, world))
    }

    /// All policies. Removed is what is not there any more: of `expected`, else of what the client has.
    fn all_policies(
        &mut self,
        expected: Option<BTreeSet<String>>,
        world: &World,
    ) -> Option<DeltaDiscoveryResponse> {
        let watched = self.watched.get_mut(AUTHORIZATION)?;
        let mut removed = expected.unwrap_or_else(|| watched.names.clone());
        removed.retain(|name| !world.policies.contains_key(name));
        watched.names = world.policies.keys().cloned().collect();
        let resources = world.policies.iter().map(|(name, stored)| stored.policy(name)).collect();
        Some(response(AUTHORIZATION, resources, removed, world))
    }

    fn push_policies(&mut self, names: &BTreeSet<String>, world: &World) -> Option<DeltaDiscoveryResponse> {
        let watched = self.watched.get_mut(AUTHORIZATION).filter(|_| !names.is_empty())?;
        let (there, removed): (BTreeSet<_>, BTreeSet<_>) =
            names.iter().cloned().partition(|name| world.policies.contains_key(name));
        let found = there.iter().filter_map(|name| Some((name, world.policies.get(name)?)));
        let resources = found.map(|(name, stored)| stored.policy(name)).collect();
        watched.names.retain(|name| !removed.contains(name));
        watched.names.extend(there);
        Some(response(AUTHORIZATION, resources, removed, world))
    }
}

fn response(
    type_url: &str,
    resources: Vec<Resource>,
    removed: BTreeSet<String>,
    world: &World,
) -> DeltaDiscoveryResponse {
    let version = format!("imitation/{}", world.revision);
    let random = RandomState::new();
    DeltaDiscoveryResponse {
        nonce: format!("{version}{:016x}{:016x}", random.hash_one(0), random.hash_one(1)),
        system_version_info: version,
        type_url: type_url.to_owned(),
        resources,
        removed_resources: removed.into_iter().collect(),
        control_plane: None,
    }
}

/// Adds the names of a request to those known. True if that changed them.
fn learn(names: &mut BTreeSet<String>, request: &DeltaDiscoveryRequest) -> bool {
    let mut changed = false;
    for name in request.resource_names_subscribe.iter().chain(request.initial_resource_versions.keys()) {
        changed |= names.insert(name.clone());
    }
    for name in &request.resource_names_unsubscribe {
        changed |= names.remove(name);
    }
    names.remove("*");
    changed
}

fn is_wildcard(request: &DeltaDiscoveryRequest) -> bool {
    let star = |names: &[String]| names.iter().any(|name| name == "*");
    request.resource_names_subscribe.is_empty()
        || star(&request.resource_names_subscribe) && !star(&request.resource_names_unsubscribe)
}
