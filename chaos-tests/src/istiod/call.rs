//! The gRPC method by hand, since generated code can neither send half a message nor reset a stream.

use std::{
    convert::Infallible,
    io,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{BufMut, Bytes, BytesMut};
use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{
    Status, Streaming,
    body::Body,
    codec::Codec,
    codegen::{BoxFuture, Service, http},
    server::NamedService,
};
use tonic_prost::ProstCodec;

use super::{connection::Handle, server::Shared, talk::Talk};

const METHOD: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// Istio's receive limit.
pub(super) const MAX_REQUEST_BYTES: usize = 4 << 20;

/// Bytes before each message: whether it is compressed, and its length.
pub(super) const FRAME_HEADER: usize = 5;

/// What goes out on one stream.
#[derive(Debug)]
pub(super) enum Out {
    Bytes(Bytes),
    /// The last thing sent.
    End(Status),
    Reset,
}

/// The service, for one connection.
#[derive(Debug, Clone)]
pub(super) struct Ads {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Handle,
}

impl NamedService for Ads {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl Service<http::Request<Body>> for Ads {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let ads = self.clone();
        Box::pin(async move { Ok(ads.accept(request).await) })
    }
}

impl Ads {
    async fn accept(self, request: http::Request<Body>) -> http::Response<Body> {
        if request.uri().path() != METHOD {
            return Status::unimplemented("only DeltaAggregatedResources is served").into_http();
        }
        let authorization = request.headers().get(http::header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (outbox, mut out) = mpsc::channel(1);
        let decoder = ProstCodec::<DeltaDiscoveryResponse, DeltaDiscoveryRequest>::default().decoder();
        // A reset by the client would pass for the end of its side otherwise.
        let body = request.into_body().map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset));
        let requests = Streaming::new_request(decoder, body, None, Some(MAX_REQUEST_BYTES));
        tokio::spawn(Talk::new(self.shared, self.connection, authorization, outbox).run(requests));
        // Headers leave with the first message, not before: so do those of gRPC for Go.
        match out.recv().await {
            Some(Out::End(status)) => status.into_http(),
            Some(first) => response(first, out),
            None => Status::internal("the stream's task has ended").into_http(),
        }
    }
}

fn response(first: Out, rest: mpsc::Receiver<Out>) -> http::Response<Body> {
    let frames = tokio_stream::once(first).chain(ReceiverStream::new(rest)).map(|out| match out {
        Out::Bytes(bytes) => Ok(Frame::data(bytes)),
        Out::End(status) => trailers(&status),
        Out::Reset => Err(io::ErrorKind::ConnectionReset.into()),
    });
    let mut response = http::Response::new(Body::new(StreamBody::new(frames)));
    let grpc = http::HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    response
}

fn trailers(status: &Status) -> io::Result<Frame<Bytes>> {
    let mut headers = http::HeaderMap::new();
    status.add_header(&mut headers).map_err(io::Error::other)?;
    Ok(Frame::trailers(headers))
}

/// A message as gRPC frames it, not compressed.
pub(super) fn framed(message: &DeltaDiscoveryResponse) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(FRAME_HEADER + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message.encode_to_vec());
    frame.freeze()
}
