//! A bare client: says what a test wants said and shows what comes.

use std::{collections::HashMap, fmt::Display, time::Duration};

use evermesh_chaos_tests::{istiod::Istiod, wait::stretched};
use evermesh_proto::discovery::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Status as Refusal,
    aggregated_discovery_service_client::AggregatedDiscoveryServiceClient,
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Code, Request, Response, Status, Streaming,
    transport::{Channel, Endpoint},
};

pub const NODE: &str = "ztunnel~10.0.0.1~evermesh-1.evermesh-system~evermesh-system.svc.cluster.local";

/// One stream.
pub struct Client {
    requests: mpsc::UnboundedSender<DeltaDiscoveryRequest>,
    /// There is no stream before the first response.
    opening: Option<JoinHandle<Result<Response<Streaming<DeltaDiscoveryResponse>>, Status>>>,
    responses: Option<Streaming<DeltaDiscoveryResponse>>,
}

pub async fn channel(istiod: &Istiod) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{}", istiod.address())).unwrap();
    endpoint.connect().await.unwrap()
}

impl Client {
    pub async fn open(istiod: &Istiod) -> Self {
        Self::on(channel(istiod).await, None)
    }

    pub fn on(channel: Channel, authorization: Option<&str>) -> Self {
        let (requests, receiver) = mpsc::unbounded_channel();
        let mut request = Request::new(UnboundedReceiverStream::new(receiver));
        if let Some(authorization) = authorization {
            request.metadata_mut().insert("authorization", authorization.parse().unwrap());
        }
        let mut client = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(usize::MAX);
        let opening = tokio::spawn(async move { client.delta_aggregated_resources(request).await });
        Self { requests, opening: Some(opening), responses: None }
    }

    pub fn say(&self, request: DeltaDiscoveryRequest) {
        self.requests.send(request).unwrap();
    }

    pub fn subscribe(&self, type_url: &str) {
        self.say(subscription(type_url));
    }

    /// The subscription of a client that comes back with resources it has kept.
    pub fn resubscribe<'a>(
        &self,
        type_url: &str,
        versions: impl IntoIterator<Item = (&'a str, impl Display)>,
    ) {
        let versions = versions.into_iter().map(|(name, version)| (name.to_owned(), version.to_string()));
        let initial_resource_versions: HashMap<_, _> = versions.collect();
        self.say(DeltaDiscoveryRequest { initial_resource_versions, ..subscription(type_url) });
    }

    pub fn ack(&self, response: &DeltaDiscoveryResponse) {
        self.say(DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            ..DeltaDiscoveryRequest::default()
        });
    }

    pub fn nack(&self, response: &DeltaDiscoveryResponse, message: &str) {
        self.say(DeltaDiscoveryRequest {
            type_url: response.type_url.clone(),
            response_nonce: response.nonce.clone(),
            error_detail: Some(Refusal { code: Code::InvalidArgument.into(), message: message.to_owned() }),
            ..DeltaDiscoveryRequest::default()
        });
    }

    /// The next response, or with what status the stream ended instead.
    pub async fn hear(&mut self) -> Result<DeltaDiscoveryResponse, Status> {
        let heard = timeout(stretched(Duration::from_secs(30)), async {
            if let Some(opening) = self.opening.take() {
                self.responses = Some(opening.await.unwrap()?.into_inner());
            }
            self.responses.as_mut().unwrap().message().await
        });
        heard.await.expect("a response or the end of the stream")?.ok_or_else(|| Status::ok(""))
    }

    pub async fn next(&mut self) -> DeltaDiscoveryResponse {
        self.hear().await.unwrap()
    }

    pub async fn end(&mut self) -> Status {
        self.hear().await.expect_err("the end of the stream")
    }

    /// Closes this side alone.
    pub fn close(&mut self) {
        self.requests = mpsc::unbounded_channel().0;
    }
}

pub fn subscription(type_url: &str) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest {
        node: Some(node(NODE)),
        type_url: type_url.to_owned(),
        ..DeltaDiscoveryRequest::default()
    }
}

pub fn node(id: &str) -> Node {
    Node { id: id.to_owned(), ..Node::default() }
}

pub fn names(response: &DeltaDiscoveryResponse) -> Vec<&str> {
    response.resources.iter().map(|resource| resource.name.as_str()).collect()
}

pub fn versions(response: &DeltaDiscoveryResponse) -> Vec<(&str, &str)> {
    response.resources.iter().map(|resource| (resource.name.as_str(), resource.version.as_str())).collect()
}
