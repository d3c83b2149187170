//! Keeps a stream to a control plane open, and offers what follows from what it says.
//!
//! ```text
//! control plane -> Session -> Mesh -> Offer -> whoever applies it
//!                     ^                  |
//!                     +--- ACK, NACK <---+--> Keeper -> disk
//! ```
//!
//! A response is answered when traffic obeys it. The connection may be lost for as long as it likes: the mesh stays.

mod backoff;
mod codec;
mod connect;
mod link;
mod obey;
mod stream;

#[cfg(test)]
mod tests;

use std::{convert::Infallible, net::IpAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use evermesh_model::{SmolStr, Snapshot};
use evermesh_proto::discovery::Node;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};
use tracing::{info, warn};

use crate::{Mesh, Milestone, Whole, cache::Keeper};
use backoff::Backoff;
pub use connect::{Address, AddressError, ConnectError, Roots};
use link::Links;
pub use link::{Link, Phase};
use obey::Owed;
use stream::{End, Stream};

/// How a control plane is reached, and as whom.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it is.
    pub address: Address,
    /// Who vouches for it, where it is spoken to by TLS.
    pub roots: Roots,
    /// File with a bearer token, read at each connection.
    pub token: Option<PathBuf>,
    /// Who this node is.
    pub node: Node,
}

/// A mesh that is to be applied.
#[derive(Debug)]
pub struct Offer {
    /// The mesh.
    pub snapshot: Snapshot,
    /// See [`Mesh::digest`].
    pub digest: [u8; 32],
    /// What a user should know though it is not wrong.
    pub warnings: Vec<String>,
    /// To be told when traffic obeys it, or why it does not.
    pub done: oneshot::Sender<Result<(), String>>,
}

/// Where a hostname leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The hostname.
    pub hostname: SmolStr,
    /// The addresses; none is an answer too.
    pub addresses: Vec<IpAddr>,
    /// Of both families. Otherwise there may be others, and an earlier answer is the better one.
    pub is_whole: bool,
}

/// What a client is connected to, on the side of this node.
#[derive(Debug)]
pub struct Ports {
    /// Takes meshes.
    pub offers: mpsc::Sender<Offer>,
    /// Shows how the connection is.
    pub links: watch::Sender<Link>,
    /// Learns which hostnames are to be looked up.
    pub hostnames: watch::Sender<Arc<[SmolStr]>>,
    /// Says where they lead.
    pub answers: mpsc::Receiver<Answer>,
    /// Shows what is known, applied or not.
    pub meshes: watch::Sender<Mesh>,
}

/// A control plane that accepts and says nothing is as good as none.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(30);
/// What says everything is large, and comes as fast as the network is. Who is gone meanwhile is noticed by pings.
const RESPONSE_MAX: Duration = Duration::from_mins(5);
/// A stream that is older is opened anew: one that is stuck in the middle of a response looks like a quiet one. By chance a fifth
/// earlier, so that the nodes of a cluster do not ask for everything at once.
const AGE_MAX: Duration = Duration::from_mins(30);

/// See [the module](self).
#[derive(Debug)]
pub struct Client {
    config: Config,
    mesh: Mesh,
    /// Which kinds have ever been said completely: before that, what is missing says nothing.
    whole: Whole,
    keeper: Keeper,
    ports: Ports,
    links: Links,
    /// Traffic does not obey the mesh as it is known by now.
    behind: bool,
    told: Arc<[SmolStr]>,
}

/// Nobody takes offers any more: the agent ends.
struct Ended;

impl Client {
    /// A client that knows this mesh, of which these kinds completely.
    pub fn new(config: Config, mesh: Mesh, whole: Whole, keeper: Keeper, ports: Ports) -> Self {
        let links = Links::new(config.address.to_string(), keeper.synced_unix_ms());
        Self { config, mesh, whole, keeper, ports, links, behind: false, told: Arc::from([]) }
    }

    /// Works until nobody takes offers any more.
    pub async fn run(mut self) {
        self.tell_hostnames();
        let Err(Ended) = self.keep_connected().await;
    }

    async fn keep_connected(&mut self) -> Result<Infallible, Ended> {
        let mut backoff = Backoff::default();
        loop {
            self.show(Links::connecting);
            self.make_up_for_lost();
            let end = match self.open().await? {
                Ok(stream) => self.listen(stream, &mut backoff).await?,
                Err(end) => end,
            };
            let Some(pause) = backoff.after(&end, rand::random()) else {
                info!(control_plane = %self.config.address, "{end}");
                continue;
            };
            let reason = end.to_string();
            warn!(control_plane = %self.config.address, reason, retry_in = ?pause, "no stream to the control plane");
            self.show(|links| links.lost(reason));
            self.until(sleep(pause)).await?;
        }
    }

    async fn open(&mut self) -> Result<Result<Stream, End>, Ended> {
        let (config, known) = (self.config.clone(), self.whole.is_all().then(|| self.mesh.clone()));
        let opening = timeout(FIRST_ANSWER_MAX, Stream::open(&config, known.as_ref()));
        Ok(match self.until(opening).await? {
            Ok(opened) => opened.map_err(End::Connect),
            Err(_) => Err(End::Silent),
        })
    }

    /// What hostnames lead to goes on changing while nobody is connected.
    async fn until<T>(&mut self, done: impl Future<Output = T>) -> Result<T, Ended> {
        let mut done = pin!(done);
        loop {
            tokio::select! {
                done = &mut done => return Ok(done),
                Some(answer) = self.ports.answers.recv() => self.hear(answer).await?,
                () = self.ports.offers.closed() => return Err(Ended),
            }
        }
    }

    async fn listen(&mut self, mut stream: Stream, backoff: &mut Backoff) -> Result<End, Ended> {
        info!(control_plane = %self.config.address, "connected to the control plane");
        self.show(Links::opened);
        let old = stream.opened + AGE_MAX.mul_f64(0.8 + 0.2 * rand::random::<f64>());
        let mut deadline = Instant::now() + RESPONSE_MAX;
        let mut owed = Owed::new();
        loop {
            let synced = stream.session.is_synced();
            let next = async {
                match synced {
                    true => Ok(stream.responses.message().await),
                    false => timeout_at(deadline, stream.responses.message()).await,
                }
            };
            let response = tokio::select! {
                response = next => response,
                Some(answer) = self.ports.answers.recv() => {
                    self.hear(answer).await?;
                    continue;
                }
                () = self.ports.offers.closed() => return Err(Ended),
                () = sleep_until(old) => return Ok(End::Old),
                () = self.links.due(), if synced => {
                    backoff.connected(stream.opened);
                    self.make_up_for_lost();
                    self.still_synced();
                    self.show(|_| ());
                    continue;
                }
            };
            let response = match response {
                Err(_) => return Ok(End::Unfinished),
                Ok(Err(status)) => return Ok(End::Status(Box::new(status))),
                Ok(Ok(None)) => return Ok(End::Closed),
                Ok(Ok(Some(response))) => response,
            };
            Milestone::Heard.pass();
            match stream.session.receive(response) {
                Ok(received) => {
                    if received.first {
                        self.mesh.forgive(received.said.kind);
                    }
                    let (said, receipt) = received.into_parts();
                    self.take(said, receipt, &mut owed, &mut stream).await?;
                }
                Err(nonsense) => return Ok(End::Nonsense(nonsense)),
            }
            if stream.session.is_synced() {
                backoff.connected(stream.opened);
                self.links.connected();
                self.still_synced();
            }
            // Once for a response: the agent tells the supervisor and the disk.
            self.show(|_| ());
            deadline = Instant::now() + RESPONSE_MAX;
        }
    }

    fn still_synced(&mut self) {
        let now = self.links.synced();
        if !self.behind {
            self.keeper.synced(now);
        }
    }

    fn show(&mut self, change: impl FnOnce(&mut Links)) {
        change(&mut self.links);
        self.links.unkept(self.keeper.failure());
        self.links.unresolved(self.mesh.unresolved());
        self.links.refused(self.mesh.listed_refused().collect());
        self.ports.links.send_replace(self.links.link());
    }

    fn tell_hostnames(&mut self) {
        if !self.mesh.hostnames().eq(self.told.iter()) {
            self.told = self.mesh.hostnames().cloned().collect();
            self.ports.hostnames.send_replace(self.told.clone());
        }
    }
}
