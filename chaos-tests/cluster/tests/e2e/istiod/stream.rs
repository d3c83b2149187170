//! A delta stream to an Istiod.

use std::{
    net::SocketAddr,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::netns::Netns;
use evermesh_cluster::Istiod;
use evermesh_proto::discovery::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
    aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

/// What is proved and believed at the secure port.
#[derive(Clone)]
pub struct Trust {
    pub root: String,
    pub token: Option<String>,
}

/// A response and when it came, or how the stream ended.
pub type Received = Result<(Instant, DeltaDiscoveryResponse), Status>;

/// One stream on a connection of its own, from a network namespace. Dropped: it ends.
pub struct Stream {
    requests: UnboundedSender<DeltaDiscoveryRequest>,
    responses: Receiver<Received>,
}

impl Stream {
    pub fn open(from: &Netns, to: SocketAddr, trust: Option<Trust>) -> Self {
        let (netns, (requests, sent), (received, responses)) = (from.clone(), unbounded_channel(), channel());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            netns.enter(|| {
                let end = runtime.block_on(converse(to, trust, sent, &received));
                // Nobody listens where the stream was dropped.
                let _ = received.send(Err(end.err().unwrap_or_else(|| Status::ok("ended"))));
                Ok(())
            })
        });
        Self { requests, responses }
    }

    /// Says something. A stream that has ended says so when it is asked for what came.
    pub fn send(&self, request: DeltaDiscoveryRequest) {
        let _ = self.requests.send(request);
    }

    /// What comes next, if it comes soon enough.
    pub fn next(&self, patience: Duration) -> Option<Received> {
        match self.responses.recv_timeout(patience) {
            Ok(received) => Some(received),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("the stream was read after its end"),
        }
    }
}

async fn converse(
    to: SocketAddr,
    trust: Option<Trust>,
    sent: UnboundedReceiver<DeltaDiscoveryRequest>,
    received: &Sender<Received>,
) -> Result<(), Status> {
    let mut request = Request::new(UnboundedReceiverStream::new(sent));
    if let Some(token) = trust.as_ref().and_then(|trust| trust.token.as_ref()) {
        let bearer = format!("Bearer {token}").parse().map_err(|_| Status::internal("no token"))?;
        request.metadata_mut().insert("authorization", bearer);
    }
    let channel = connect(to, trust).await.map_err(|error| Status::from_error(error.into()))?;
    let client = AggregatedDiscoveryServiceClient::new(channel);
    let mut client = client.max_decoding_message_size(usize::MAX);
    let mut responses = client.delta_aggregated_resources(request).await?.into_inner();
    while let Some(response) = responses.message().await? {
        if received.send(Ok((Instant::now(), response))).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn connect(to: SocketAddr, trust: Option<Trust>) -> Result<Channel, tonic::transport::Error> {
    let Some(trust) = trust else {
        return Endpoint::from_shared(format!("http://{to}"))?.connect().await;
    };
    let root = Certificate::from_pem(trust.root);
    let tls = ClientTlsConfig::new().ca_certificate(root).domain_name(Istiod::NAME);
    Endpoint::from_shared(format!("https://{to}"))?.tls_config(tls)?.connect().await
}
