//! One stream at work: reads requests, has them judged, lies if told to, and sends.

use std::{
    future::pending,
    sync::{Arc, PoisonError},
    time::Duration,
};

use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use prost::Message;
use tokio::{
    sync::mpsc::{Sender, UnboundedReceiver},
    time::sleep,
};
use tonic::{Code, Status, Streaming};

use super::{
    Ended, Kind, Lie, RequestSeen, ResponseSeen,
    call::{FRAME_HEADER, MAX_REQUEST_BYTES, Out, framed},
    connection::{Cut, Handle},
    server::Shared,
    stream::Stream,
    world::Changed,
};
use crate::clock::now_ns;

/// What one stream consists of.
pub(super) struct Talk {
    shared: Arc<Shared>,
    connection: Handle,
    authorization: Option<String>,
    outbox: Sender<Out>,
    /// In [`super::Seen::streams`].
    number: usize,
    stream: Stream,
    /// From the first request on.
    pushes: Option<UnboundedReceiver<Changed>>,
    previous_nonce: Option<String>,
    stalled: bool,
}

impl Talk {
    pub(super) fn new(
        shared: Arc<Shared>,
        connection: Handle,
        authorization: Option<String>,
        outbox: Sender<Out>,
    ) -> Self {
        let number = shared.ledger.open_stream(authorization.clone());
        let stream = Stream::new(shared.config().release);
        let (pushes, previous_nonce) = (None, None);
        Self {
            shared,
            connection,
            authorization,
            outbox,
            number,
            stream,
            pushes,
            previous_nonce,
            stalled: false,
        }
    }

    pub(super) async fn run(mut self, mut requests: Streaming<DeltaDiscoveryRequest>) {
        let outbox = self.outbox.clone();
        let ended = tokio::select! {
            ended = self.converse(&mut requests) => ended,
            () = outbox.closed() => Ended::ClientLeft,
        };
        self.shared.ledger.on_stream(self.number, |seen| seen.ended = Some(ended.clone()));
        match ended {
            Ended::With(code, message) => {
                let _ = outbox.send(Out::End(Status::new(code, message))).await;
            }
            Ended::Cut => outbox.closed().await,
            Ended::ClientLeft => {}
        }
    }

    /// Until the stream ends.
    async fn converse(&mut self, requests: &mut Streaming<DeltaDiscoveryRequest>) -> Ended {
        if !self.authenticated() {
            return Ended::With(Code::Unauthenticated, "authentication failure".to_owned());
        }
        loop {
            let next = tokio::select! {
                biased;
                request = requests.message() => match request {
                    Ok(Some(request)) => self.answer(request).await,
                    Ok(None) => Err(Ended::With(Code::Ok, String::new())),
                    Err(status) => Err(refusal(&status)),
                },
                changed = next(&mut self.pushes) => self.push(changed).await,
            };
            if let Err(ended) = next {
                return ended;
            }
        }
    }

    fn authenticated(&self) -> bool {
        match &self.shared.config().token {
            Some(token) => self.authorization.as_deref() == Some(format!("Bearer {token}").as_str()),
            None => true,
        }
    }

    async fn answer(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Ended> {
        let pushes = &self.shared.pushes;
        self.pushes.get_or_insert_with(|| pushes.subscribe());
        let heard = self.stream.hear(&request);
        let request = Arc::new(request);
        self.record(&request, *heard.as_ref().unwrap_or(&Kind::Refused));
        let response = match heard {
            Ok(Kind::Subscription) => self.stream.answer(&request, &self.shared.world()),
            Ok(_) => None,
            Err(status) => return Err(Ended::With(status.code(), status.message().to_owned())),
        };
        match response {
            Some(response) => self.send(response).await,
            None => Ok(()),
        }
    }

    fn record(&self, request: &Arc<DeltaDiscoveryRequest>, kind: Kind) {
        let bytes = request.encoded_len();
        self.shared.ledger.on_stream(self.number, |seen| {
            if seen.requests.is_empty() {
                seen.node.clone_from(&request.node);
            }
            let after_responses = seen.responses.len();
            let message = request.clone();
            seen.requests.push(RequestSeen { kind, bytes, after_responses, at_ns: now_ns(), message });
        });
    }

    /// What has piled up while the stream was busy is one push, unless every change is to be one.
    async fn push(&mut self, mut changed: Changed) -> Result<(), Ended> {
        if !self.shared.config().debounce.is_zero()
            && let Some(pushes) = &mut self.pushes
        {
            while let Ok(more) = pushes.try_recv() {
                changed.merge(more);
            }
        }
        let responses = self.stream.push(&changed, &self.shared.world());
        for response in responses {
            self.send(response).await?;
        }
        Ok(())
    }

    async fn send(&mut self, mut response: DeltaDiscoveryResponse) -> Result<(), Ended> {
        if self.stalled {
            return Ok(());
        }
        let type_url = response.type_url.clone();
        let lies = {
            let mut lies = self.shared.lies.lock().unwrap_or_else(PoisonError::into_inner);
            lies.tell(&mut response, self.previous_nonce.as_deref())
        };
        for lie in &lies {
            self.hold_back(*lie).await?;
        }
        if self.stalled {
            return Ok(());
        }
        let mut frame = framed(&response);
        if lies.contains(&Lie::Half) {
            frame.truncate(FRAME_HEADER + response.encoded_len() / 2);
            self.stalled = true;
        }
        self.stream.sent(&type_url, &response.nonce);
        self.previous_nonce = Some(response.nonce.clone());
        let seen = ResponseSeen::new(&response, frame.len() - FRAME_HEADER, lies.clone());
        self.shared.ledger.on_stream(self.number, |stream| stream.responses.push(seen));
        self.outbox.send(Out::Bytes(frame)).await.map_err(|_| Ended::ClientLeft)?;
        for lie in lies {
            if let Lie::GoAway(grace) = lie {
                self.go_away(grace);
            }
        }
        Ok(())
    }

    /// Performs what a lie does before, or instead of, the response.
    async fn hold_back(&mut self, lie: Lie) -> Result<(), Ended> {
        match lie {
            Lie::Late(time) => sleep(time).await,
            Lie::Stall => self.stalled = true,
            Lie::End(code) => return Err(Ended::With(code, "as it was told to".to_owned())),
            Lie::ResetStream => {
                let _ = self.outbox.send(Out::Reset).await;
                return Err(Ended::Cut);
            }
            Lie::ResetConnection => return Err(self.cut(Cut::Reset)),
            Lie::CloseConnection => return Err(self.cut(Cut::Close)),
            _ => {}
        }
        Ok(())
    }

    fn cut(&self, cut: Cut) -> Ended {
        self.connection.cut(cut);
        Ended::Cut
    }

    fn go_away(&self, grace: Duration) {
        self.connection.go_away();
        let connection = self.connection.clone();
        tokio::spawn(async move {
            sleep(grace).await;
            connection.cut(Cut::Close);
        });
    }
}

async fn next(pushes: &mut Option<UnboundedReceiver<Changed>>) -> Changed {
    match pushes {
        Some(pushes) => match pushes.recv().await {
            Some(changed) => changed,
            None => pending().await,
        },
        None => pending().await,
    }
}

/// How the stream ends when a request cannot be read.
fn refusal(status: &Status) -> Ended {
    match status.code() {
        Code::OutOfRange => {
            let message = format!("grpc: received message larger than max (limit {MAX_REQUEST_BYTES})");
            Ended::With(Code::ResourceExhausted, message)
        }
        Code::Internal => Ended::With(Code::Internal, status.message().to_owned()),
        _ => Ended::ClientLeft,
    }
}
