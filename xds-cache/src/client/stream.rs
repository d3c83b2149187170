use evermesh_proto::discovery::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
    aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Status, Streaming};

use super::{
    Config, ConnectError,
    connect::{authorization, connect},
};
use crate::{Mesh, Nonsense, Session};

/// Larger responses end the stream: what is decoded is bounded.
const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// A stream that is open.
#[derive(Debug)]
pub(super) struct Stream {
    pub session: Session,
    pub responses: Streaming<DeltaDiscoveryResponse>,
    pub opened: Instant,
    requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
}

/// Why a stream is over, or was none.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error(transparent)]
    Connect(ConnectError),
    #[error("the control plane ended the stream: {}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    #[error("the control plane ended the stream")]
    Closed,
    #[error("the control plane said nothing for 30 seconds")]
    Silent,
    #[error("the stream was 30 minutes old")]
    Old,
    #[error(transparent)]
    Nonsense(Nonsense),
}

impl Stream {
    /// Connects, and subscribes to everything. `known`: what the control plane need not say again.
    pub async fn open(config: &Config, known: Option<&Mesh>) -> Result<Self, ConnectError> {
        let channel = connect(config).await?;
        let (session, first) = Session::open(config.node.clone(), known);
        let (requests, outgoing) = mpsc::unbounded_channel();
        for request in first {
            // The other end is in our hands.
            let _sent = requests.send(request);
        }
        let mut request = Request::new(UnboundedReceiverStream::new(outgoing));
        if let Some(value) = authorization(config)? {
            request.metadata_mut().insert("authorization", value);
        }
        let mut client = AggregatedDiscoveryServiceClient::new(channel)
            .max_decoding_message_size(RESPONSE_BYTES_MAX)
            .max_encoding_message_size(usize::MAX);
        let responses = client.delta_aggregated_resources(request).await;
        let responses = responses.map_err(|status| ConnectError::Refused { status: Box::new(status) })?;
        Ok(Self { session, responses: responses.into_inner(), opened: Instant::now(), requests })
    }

    /// On a stream that is over it is lost; the next one begins anew.
    pub fn send(&self, request: DeltaDiscoveryRequest) {
        let _lost = self.requests.send(request);
    }
}
