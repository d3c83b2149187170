//! An imitation of Istio's control plane, for tests of clients: delta xDS over gRPC, in this process.
//!
//! It serves `istio.workload.Address` and `istio.security.Authorization` to wildcard subscriptions the way Istio
//! 1.30 and 1.31 do, keeps a record of what clients say, and lies when told to ([`Lie`]).
//!
//! # As Istio does
//!
//! * A stream's first request must name a node `TYPE~IP~NAME~DOMAIN`, else the stream ends with INVALID_ARGUMENT. A wrong
//!   token ends it with UNAUTHENTICATED.
//! * A request message of more than 4 MiB ends the stream with RESOURCE_EXHAUSTED.
//! * Response headers leave with the first response. Until then a client that awaits them waits.
//! * Nothing is sent of a type before the client subscribed to it; types other than these two are never answered.
//! * The first request of a type is answered by exactly one response, even if that is empty. It carries everything,
//!   and as removed what the client named in `initial_resource_versions` and is not there.
//! * Later requests are answered only if they change the names subscribed to. An ACK is not, nor is a NACK:
//!   what was refused is not sent again. A request with another nonce than that of the last response of its type is
//!   ignored.
//! * Changes are pushed 100 ms after the last of them, 10 s after the first at the latest, as one response for each
//!   type, addresses first. A push says what is true when it is sent, and never waits for an ACK. A change that was
//!   announced before a request was answered is pushed all the same, so resources come twice.
//! * Nonces are random and begin with the version of the push. Versions of resources are hashes of their bytes;
//!   policies have none. A policy is never skipped.
//! * A client that closes its side has the stream closed with OK.
//!
//! # What differs between releases
//!
//! | | [`Release::V1_30`] | [`Release::V1_31`] |
//! |---|---|---|
//! | version of an address | empty | hash of its bytes |
//! | address that the client has in `initial_resource_versions`, same version | sent again | not sent |
//! | later request that names an address it named before | ignored | answered with all addresses |
//!
//! # Unlike Istio
//!
//! Resources and removed names come sorted. Addresses on demand (subscriptions to names) end the stream with
//! UNIMPLEMENTED. With a debounce of zero every change is a push of its own; otherwise those that pile up while a
//! client does not read are merged, as they are in Istio. An identity's namespace is not compared with the node's.

mod call;
mod connection;
mod debounce;
mod error;
mod lie;
mod node;
mod resources;
mod seen;
mod server;
mod stream;
mod talk;
mod tls;
mod world;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, PoisonError},
    time::Duration,
};

use evermesh_proto::{security::Authorization, workload::Address};

pub use error::Error;
pub use lie::{FOREIGN_TYPE, Lie, Order};
pub use resources::{IntoAddress, address_name, deny_all, policy_name, service, service_name, workload};
pub use seen::{Ended, Kind, RequestSeen, ResponseSeen, Seen, StreamSeen};
pub use tls::Tls;

use crate::wait;
use server::{Port, Running, Shared};
use world::{Changed, World};

/// How long [`Istiod::wait_for`] and [`Istiod::until`] wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which Istio to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// 1.30.0 to 1.30.3.
    V1_30,
    /// 1.31.
    V1_31,
}

/// How to serve.
#[derive(Debug, Clone)]
pub struct Config {
    /// For new streams.
    pub release: Release,
    /// How long no change may have come before they are pushed. Zero: at once, each by itself.
    pub debounce: Duration,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Serves TLS.
    pub tls: Option<Tls>,
    /// What new streams must bring as `authorization: Bearer TOKEN`.
    pub token: Option<String>,
}

impl Default for Config {
    /// Plain, without token, at a free port of the loopback; pushes at once.
    fn default() -> Self {
        Self {
            release: Release::V1_31,
            debounce: Duration::ZERO,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            token: None,
        }
    }
}

/// What Istio's debounce is by default.
pub const ISTIO_DEBOUNCE: Duration = Duration::from_millis(100);

/// The control plane. Dropped, it is gone with all its connections.
#[derive(Debug)]
pub struct Istiod {
    shared: Arc<Shared>,
    port: Port,
    running: Option<Running>,
}

impl Istiod {
    /// Starts it, without any resources.
    pub fn start(config: Config) -> Result<Self, Error> {
        let port = Port::reserve(config.listen)?;
        let mut istiod = Self { shared: Arc::new(Shared::new(config)), port, running: None };
        istiod.start_again()?;
        Ok(istiod)
    }

    /// Where it listens, also while it is stopped: nobody else gets the port.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Ends it as a crash would: listener, connections and streams are gone when this returns. Resources, lies and
    /// what was seen are kept.
    pub fn stop(&mut self) {
        if self.running.take().is_some() {
            let open = |stream: &&mut StreamSeen| stream.ended.is_none();
            let cut = |stream: &mut StreamSeen| stream.ended = Some(Ended::Cut);
            self.shared.ledger.record(|seen| seen.streams.iter_mut().filter(open).for_each(cut));
        }
    }

    /// Starts it at the same port, with the resources it has by now.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.running.is_some() {
            return Err(Error::Running { address: self.address() });
        }
        self.running = Some(Running::start(self.shared.clone(), &self.port)?);
        Ok(())
    }

    /// Changes how it serves from now on; what is said of each field in [`Config`]. `listen` stays as it is, and
    /// `tls` counts from the next start.
    pub fn configure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.shared.config());
    }

    /// Adds or replaces a service or workload. Nothing is pushed if it is the same as before.
    pub fn put(&self, address: impl IntoAddress) {
        self.put_all([address]);
    }

    /// Adds or replaces many, as one change.
    pub fn put_all(&self, addresses: impl IntoIterator<Item = impl IntoAddress>) {
        self.change(|world| world.put(addresses.into_iter().map(IntoAddress::into_address)));
    }

    /// Removes the service or workload of that resource name.
    pub fn remove(&self, name: &str) {
        self.change(|world| world.remove(name));
    }

    /// Adds or replaces a policy.
    pub fn allow(&self, policy: Authorization) {
        self.change(|world| world.allow([policy]));
    }

    /// Removes the policy of that resource name.
    pub fn remove_policy(&self, name: &str) {
        self.change(|world| world.remove_policy(name));
    }

    /// Has these resources and no others, as one change.
    pub fn replace(
        &self,
        addresses: impl IntoIterator<Item = Address>,
        policies: impl IntoIterator<Item = Authorization>,
    ) {
        self.change(|world| world.replace(addresses, policies));
    }

    /// Pushes the addresses of these names though they have not changed. Those that are not there come as removed.
    pub fn push_again<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let addresses = names.into_iter().map(str::to_owned).collect();
        self.change(|_| Changed { addresses, ..Changed::default() });
    }

    /// Pushes all policies, changed or not, as a change of the mesh's settings does.
    pub fn push_all_policies(&self) {
        self.change(|_| Changed { forced: true, ..Changed::default() });
    }

    fn change(&self, change: impl FnOnce(&mut World) -> Changed) {
        let mut world = self.shared.world();
        let changed = change(&mut world);
        world.revision += 1;
        self.shared.pushes.announce(changed);
    }

    /// Has it lie: once, as often as the order says, or for good. Several lies are told at a time.
    pub fn lie(&self, order: impl Into<Order>) {
        self.shared.lies.lock().unwrap_or_else(PoisonError::into_inner).add(order.into());
    }

    /// Has it tell no more lies. What is stalled already stays so.
    pub fn be_honest(&self) {
        self.shared.lies.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What clients have said and were sent so far.
    pub fn seen(&self) -> Seen {
        self.shared.ledger.seen()
    }

    /// Blocks until clients have done something. For tests whose client runs in threads of its own; a task uses
    /// [`Self::until`].
    pub fn wait_for(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Result<Seen, Error> {
        self.shared.ledger.wait_for(what, wait::stretched(PATIENCE), condition)
    }

    /// Completes once clients have done something.
    pub async fn until(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Result<Seen, Error> {
        self.shared.ledger.until(what, wait::stretched(PATIENCE), condition).await
    }
}
