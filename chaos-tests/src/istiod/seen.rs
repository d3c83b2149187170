//! What clients said and what they were sent.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Status};
use tokio::sync::watch;
use tonic::Code;

use super::{Error, Lie};
use crate::clock::now_ns;

/// Everything since the start, over all restarts.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// TCP connections accepted.
    pub connections: usize,
    /// Streams in the order in which they were opened.
    pub streams: Vec<StreamSeen>,
}

/// One stream.
#[derive(Debug, Clone, Default)]
pub struct StreamSeen {
    /// The metadata `authorization`.
    pub authorization: Option<String>,
    /// As introduced by the first request.
    pub node: Option<Node>,
    /// In order.
    pub requests: Vec<RequestSeen>,
    /// In order.
    pub responses: Vec<ResponseSeen>,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct RequestSeen {
    /// What it meant.
    pub kind: Kind,
    /// Length of the message.
    pub bytes: usize,
    /// Responses that had been sent on the stream before it was read.
    pub after_responses: usize,
    /// When it was read, by [`now_ns`].
    pub at_ns: u64,
    /// Itself.
    pub message: Arc<DeltaDiscoveryRequest>,
}

/// What a request meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first of its type, or a change of the names subscribed to. It is answered.
    Subscription,
    /// It accepts the last response of its type.
    Ack,
    /// It refuses a response.
    Nack,
    /// Its nonce is not that of the last response of its type. It is ignored.
    Stale,
    /// No nonce and no change: it says nothing, and is ignored.
    Empty,
    /// It ends the stream.
    Refused,
}

/// One response, as it left; with [`Lie::Half`] only half of it did.
#[derive(Debug, Clone)]
pub struct ResponseSeen {
    /// Type URL.
    pub type_url: String,
    /// Nonce.
    pub nonce: String,
    /// How many resources.
    pub resources: usize,
    /// How many removed names.
    pub removed: usize,
    /// Length of the message.
    pub bytes: usize,
    /// When it left, by [`now_ns`].
    pub at_ns: u64,
    /// What was wrong with it.
    pub lies: Vec<Lie>,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// By the server, with that status.
    With(Code, String),
    /// The server reset the stream or its connection.
    Cut,
    /// The client reset the stream, or its connection ended.
    ClientLeft,
}

impl Seen {
    /// Streams that have not ended.
    pub fn open_streams(&self) -> usize {
        self.streams.iter().filter(|stream| stream.ended.is_none()).count()
    }

    /// The requests of all streams.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &RequestSeen> {
        self.streams.iter().flat_map(|stream| &stream.requests)
    }

    /// The responses of all streams.
    pub fn responses(&self) -> impl DoubleEndedIterator<Item = &ResponseSeen> {
        self.streams.iter().flat_map(|stream| &stream.responses)
    }

    /// Requests of that kind, for that type.
    pub fn of(&self, kind: Kind, type_url: &str) -> impl DoubleEndedIterator<Item = &RequestSeen> {
        self.requests().filter(move |request| request.kind == kind && request.message.type_url == type_url)
    }

    /// How many responses of that type were accepted.
    pub fn acks(&self, type_url: &str) -> usize {
        self.of(Kind::Ack, type_url).count()
    }

    /// With what errors responses of that type were refused.
    pub fn nacks(&self, type_url: &str) -> Vec<&Status> {
        self.of(Kind::Nack, type_url).filter_map(|request| request.message.error_detail.as_ref()).collect()
    }

    /// How long each response of that type took to be accepted, also where others had left meanwhile, in the order in which they
    /// were.
    pub fn until_accepted(&self, type_url: &str) -> Vec<Duration> {
        let of_type = self.responses().filter(|it| it.type_url == type_url);
        let sent: HashMap<&str, u64> = of_type.map(|it| (it.nonce.as_str(), it.at_ns)).collect();
        let took = |request: &RequestSeen| {
            let sent_ns = sent.get(request.message.response_nonce.as_str())?;
            Some(Duration::from_nanos(request.at_ns - sent_ns))
        };
        let accepts = |request: &&RequestSeen| matches!(request.kind, Kind::Ack | Kind::Stale);
        self.requests().filter(accepts).filter_map(took).collect()
    }

    /// Bytes of all response messages.
    pub fn bytes_sent(&self) -> usize {
        self.responses().map(|response| response.bytes).sum()
    }

    /// Resources in all responses.
    pub fn resources_sent(&self) -> usize {
        self.responses().map(|response| response.resources).sum()
    }
}

impl RequestSeen {
    /// How many resources the client said it has.
    pub fn initial_versions(&self) -> usize {
        self.message.initial_resource_versions.len()
    }
}

impl ResponseSeen {
    pub(super) fn new(response: &DeltaDiscoveryResponse, bytes: usize, lies: Vec<Lie>) -> Self {
        Self {
            type_url: response.type_url.clone(),
            nonce: response.nonce.clone(),
            resources: response.resources.len(),
            removed: response.removed_resources.len(),
            bytes,
            at_ns: now_ns(),
            lies,
        }
    }
}

/// [`Seen`], and who waits for it.
#[derive(Debug)]
pub(super) struct Ledger {
    seen: Mutex<Seen>,
    threads: Condvar,
    tasks: watch::Sender<()>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { seen: Mutex::default(), threads: Condvar::new(), tasks: watch::Sender::new(()) }
    }

    pub(super) fn record<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let result = change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.threads.notify_all();
        self.tasks.send_replace(());
        result
    }

    pub(super) fn open_stream(&self, authorization: Option<String>) -> usize {
        self.record(|seen| {
            seen.streams.push(StreamSeen { authorization, ..StreamSeen::default() });
            seen.streams.len() - 1
        })
    }

    pub(super) fn on_stream(&self, stream: usize, change: impl FnOnce(&mut StreamSeen)) {
        self.record(|seen| seen.streams.get_mut(stream).map(change));
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Blocks the thread until `condition` holds.
    pub(super) fn wait_for(
        &self,
        what: &str,
        patience: Duration,
        mut condition: impl FnMut(&Seen) -> bool,
    ) -> Result<Seen, Error> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.threads.wait_timeout_while(seen, patience, |seen| !condition(seen));
        let (seen, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() { Err(in_vain(what, patience, &seen)) } else { Ok(seen.clone()) }
    }

    /// The same, for a task.
    pub(super) async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut condition: impl FnMut(&Seen) -> bool,
    ) -> Result<Seen, Error> {
        let deadline = Instant::now() + patience;
        let mut changes = self.tasks.subscribe();
        loop {
            if let Some(seen) = self.when(&mut condition) {
                return Ok(seen);
            }
            if tokio::time::timeout_at(deadline.into(), changes.changed()).await.is_err() {
                return Err(in_vain(what, patience, &self.seen()));
            }
        }
    }

    fn when(&self, condition: &mut impl FnMut(&Seen) -> bool) -> Option<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        condition(&seen).then(|| seen.clone())
    }
}

fn in_vain(what: &str, patience: Duration, seen: &Seen) -> Error {
    Error::Awaited { what: what.to_owned(), patience, seen: Box::new(seen.clone()) }
}
