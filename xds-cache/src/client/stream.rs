use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Request, Status, Streaming, client::Grpc, codegen::http::uri::PathAndQuery};

use super::{
    Config, ConnectError,
    codec::Discovery,
    connect::{authorization, connect},
};
use crate::{Mesh, Nonsense, Session};

/// Larger responses end the stream: what is decoded is bounded.
const RESPONSE_BYTES_MAX: usize = 1 << 30;
const DELTA: PathAndQuery = PathAndQuery::from_static(
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
);

/// A stream that is open.
#[derive(Debug)]
pub(super) struct Stream {
    pub session: Session,
    pub responses: Streaming<DeltaDiscoveryResponse>,
    pub opened: Instant,
    pub requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
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
    #[error("the control plane did not finish a response within 5 minutes")]
    Unfinished,
    #[error("the stream is old: another one is opened")]
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
        let mut client = Grpc::new(channel)
            .max_decoding_message_size(RESPONSE_BYTES_MAX)
            .max_encoding_message_size(usize::MAX);
        let refused = |status| ConnectError::Refused { status: Box::new(status) };
        client.ready().await.map_err(|error| refused(Status::from_error(error.into())))?;
        let responses = client.streaming(request, DELTA, Discovery).await.map_err(refused)?;
        Ok(Self { session, responses: responses.into_inner(), opened: Instant::now(), requests })
    }

    /// On a stream that is over it is lost; the next one begins anew.
    pub fn send(&self, request: DeltaDiscoveryRequest) {
        let _lost = self.requests.send(request);
    }
}
