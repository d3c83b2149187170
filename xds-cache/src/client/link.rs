use std::time::{Duration, SystemTime, UNIX_EPOCH};

use evermesh_proto::{admin::v1::RefusedResource, discovery::DeltaDiscoveryRequest};
use tokio::time::{Instant, sleep_until};

/// How the connection to a control plane is. Times are wall clock, in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// Where the control plane is.
    pub address: String,
    /// Whether it is reached.
    pub phase: Phase,
    /// Since when.
    pub since_unix_ms: u64,
    /// When everything that is known was last known to be what the control plane says; `None`: never.
    pub synced_unix_ms: Option<u64>,
    /// Why there is no stream, if there was one or should be.
    pub reason: Option<String>,
    /// Responses that traffic obeys.
    pub acks: u64,
    /// Responses that traffic does not obey altogether.
    pub nacks: u64,
    /// Why the last one of these.
    pub last_nack: Option<String>,
    /// What could not be understood, and why; of many, some.
    pub refused: Vec<RefusedResource>,
    /// Why what it says is not on disk; it is tried again.
    pub unkept: Option<String>,
    /// Hostnames that stand for addresses of workloads, and lead nowhere; of many, some.
    pub unresolved: Vec<String>,
}

/// Whether a control plane is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Not, or it has not said everything yet; it is being tried.
    #[default]
    Connecting,
    /// Not, and it will be tried again.
    Lost,
    /// It is, and has said everything.
    Connected,
}

/// As long as a stream lives, what is known is what is said: noted that often.
const NOTED_EVERY: Duration = Duration::from_secs(10);

/// Writes a [`Link`].
#[derive(Debug)]
pub(super) struct Links {
    link: Link,
    noted: Instant,
}

impl Links {
    pub fn new(address: String, synced_unix_ms: Option<u64>) -> Self {
        let link = Link { address, synced_unix_ms, since_unix_ms: unix_ms(), ..Link::default() };
        Self { link, noted: Instant::now() }
    }

    pub fn link(&self) -> Link {
        self.link.clone()
    }

    /// Another attempt is not another state: what was lost stays lost until it is back.
    pub fn connecting(&mut self) {
        if self.link.reason.is_none() {
            self.enter(Phase::Connecting);
        }
    }

    /// There is a stream, on which something is still to be said.
    pub fn opened(&mut self) {
        self.link.reason = None;
        self.enter(Phase::Connecting);
    }

    pub fn connected(&mut self) {
        self.enter(Phase::Connected);
    }

    pub fn lost(&mut self, reason: String) {
        self.link.reason = Some(reason);
        self.enter(Phase::Lost);
    }

    pub fn synced(&mut self) -> u64 {
        self.noted = Instant::now();
        let now = unix_ms();
        self.link.synced_unix_ms = Some(now);
        now
    }

    /// Returns when it is time to say again that everything is known.
    pub async fn due(&self) {
        sleep_until(self.noted + NOTED_EVERY).await;
    }

    pub fn answered(&mut self, answer: &DeltaDiscoveryRequest) {
        match &answer.error_detail {
            None => self.link.acks += 1,
            Some(status) => {
                self.link.nacks += 1;
                self.link.last_nack = Some(status.message.clone());
            }
        }
    }

    pub fn refused(&mut self, refused: Vec<RefusedResource>) {
        self.link.refused = refused;
    }

    pub fn unkept(&mut self, reason: Option<String>) {
        self.link.unkept = reason;
    }

    pub fn unresolved(&mut self, hostnames: Vec<String>) {
        self.link.unresolved = hostnames;
    }

    fn enter(&mut self, phase: Phase) {
        if self.link.phase != phase {
            self.link.phase = phase;
            self.link.since_unix_ms = unix_ms();
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
