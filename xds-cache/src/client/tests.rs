//! A client at one stream, whose other end is held by the test. Time passes when nobody has anything to do.

use evermesh_proto::discovery::{DeltaDiscoveryResponse, Resource};
use tempfile::TempDir;
use tokio::{join, net::TcpListener, time::sleep};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{
    Status, Streaming,
    codec::{Codec as _, EncodeBody, SingleMessageCompressionOverride},
    codegen::http::StatusCode,
};
use tonic_prost::ProstCodec;

use super::*;
use crate::{
    Conversion, Kind, Session, cache,
    samples::{garbage, of_service, of_workload, said, service, workload},
};

type Responses = mpsc::UnboundedSender<Result<DeltaDiscoveryResponse, Status>>;

/// A client that knows nothing, and what it is connected to.
struct Rig {
    client: Client,
    offers: mpsc::Receiver<Offer>,
    links: watch::Receiver<Link>,
    _state_dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        let state_dir = TempDir::new().unwrap();
        let cache::Opened { mesh, whole, keeper, .. } = cache::open(state_dir.path(), Conversion::default());
        let (offers, offered) = mpsc::channel(1);
        let (links, linked) = watch::channel(Link::default());
        let (_, answers) = mpsc::channel(1);
        let (hostnames, meshes) = (watch::Sender::default(), watch::Sender::default());
        let ports = Ports { offers, links, hostnames, answers, meshes };
        let address = "http://127.0.0.1:1".parse().unwrap();
        let config = Config { address, roots: Roots::System, token: None, node: Node::default() };
        let client = Client::new(config, mesh, whole, keeper, ports);
        Self { client, offers: offered, links: linked, _state_dir: state_dir }
    }
}

fn stream() -> (Stream, Responses) {
    stream_to(None)
}

/// With `known`, the control plane does not say that again.
fn stream_to(known: Option<&Mesh>) -> (Stream, Responses) {
    let (responses, said) = mpsc::unbounded_channel();
    let encoder = ProstCodec::<DeltaDiscoveryResponse, DeltaDiscoveryResponse>::default().encoder();
    let (said, plain) = (UnboundedReceiverStream::new(said), SingleMessageCompressionOverride::default());
    let body = EncodeBody::new_server(encoder, said, None, plain, None);
    let responses_decoded =
        Streaming::new_response(codec::Responses::default(), body, StatusCode::OK, None, None);
    let (session, _) = Session::open(Node::default(), known);
    let (requests, _) = mpsc::unbounded_channel();
    (Stream { session, responses: responses_decoded, opened: Instant::now(), requests }, responses)
}

fn response(kind: Kind, resources: Vec<Resource>) -> Result<DeltaDiscoveryResponse, Status> {
    let (type_url, nonce) = (kind.type_url().into(), "1".into());
    Ok(DeltaDiscoveryResponse { type_url, nonce, resources, ..DeltaDiscoveryResponse::default() })
}

/// An agent that does with every mesh the same.
async fn obey(offers: &mut mpsc::Receiver<Offer>, outcome: Result<(), String>) {
    while let Some(offer) = offers.recv().await {
        offer.done.send(outcome.clone()).unwrap();
    }
}

impl Rig {
    /// Has the client listen until the stream ends, under an agent that does so with every mesh.
    async fn listen(&mut self, stream: Stream, backoff: &mut Backoff, outcome: Result<(), String>) -> End {
        tokio::select! {
            end = self.client.listen(stream, backoff) => end.unwrap_or_else(|Ended| panic!("it heard of an end")),
            () = obey(&mut self.offers, outcome) => panic!("the client is gone"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_everything_may_take_minutes() {
    let (mut rig, (stream, responses)) = (Rig::new(), stream());
    let says = async move {
        for kind in Kind::ALL {
            sleep(Duration::from_mins(4)).await;
            responses.send(response(kind, vec![])).unwrap();
        }
    };
    let mut backoff = Backoff::default();
    let (end, ()) = join!(rig.listen(stream, &mut backoff, Ok(())), says);
    assert!(matches!(end, End::Closed), "{end}");
    assert_eq!(rig.links.borrow().acks, 2);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_never_finished_ends_the_stream() {
    let (mut rig, (stream, responses)) = (Rig::new(), stream());
    responses.send(response(Kind::Address, vec![])).unwrap();
    let began = Instant::now();
    let end = rig.listen(stream, &mut Backoff::default(), Ok(())).await;
    assert!(matches!(end, End::Unfinished), "{end}");
    assert!(began.elapsed() >= RESPONSE_MAX && began.elapsed() < RESPONSE_MAX * 2, "{:?}", began.elapsed());
}

/// What is known from the disk is not what the control plane says by now.
#[tokio::test(start_paused = true)]
async fn who_has_not_said_everything_is_not_called_connected() {
    let (mut rig, (stream, responses)) = (Rig::new(), stream());
    let mut links = rig.links.clone();
    let says = async move {
        let mut phases = vec![links.wait_for(|link| link.since_unix_ms > 0).await.unwrap().phase];
        for kind in Kind::ALL {
            links.mark_unchanged();
            responses.send(response(kind, vec![])).unwrap();
            links.changed().await.unwrap();
            phases.push(links.borrow().phase);
        }
        phases
    };
    let mut backoff = Backoff::default();
    let (_, phases) = join!(rig.listen(stream, &mut backoff, Ok(())), says);
    assert_eq!(phases, [Phase::Connecting, Phase::Connecting, Phase::Connected]);
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_is_fresh_only_if_what_was_said_is_obeyed() {
    for (outcome, is_fresh) in [(Ok(()), true), (Err("full".to_owned()), false)] {
        let (mut rig, (stream, responses)) = (Rig::new(), stream());
        Kind::ALL.into_iter().for_each(|kind| responses.send(response(kind, vec![])).unwrap());
        drop(responses);
        rig.listen(stream, &mut Backoff::default(), outcome).await;
        assert!(rig.links.borrow().synced_unix_ms.is_some());
        assert_eq!(rig.client.keeper.synced_unix_ms().is_some(), is_fresh);
    }
}

/// Nobody names it as gone: nothing is known under its name.
#[tokio::test(start_paused = true)]
async fn what_was_never_understood_and_went_while_nobody_listened_is_complained_of_no_more() {
    let mut rig = Rig::new();
    let (first, responses) = stream();
    let web = || of_service(service("web", &[[10, 96, 0, 1]]));
    let odd = [garbage(Kind::Address, "odd"), garbage(Kind::Address, "still odd")];
    responses.send(response(Kind::Address, [vec![web()], odd.to_vec()].concat())).unwrap();
    responses.send(response(Kind::Authorization, vec![])).unwrap();
    drop(responses);
    rig.listen(first, &mut Backoff::default(), Ok(())).await;
    assert_eq!(rig.links.borrow().refused.len(), 2);

    let (second, responses) = stream_to(Some(&rig.client.mesh));
    responses.send(response(Kind::Address, odd[1..].to_vec())).unwrap();
    responses.send(response(Kind::Address, vec![])).unwrap();
    drop(responses);
    rig.listen(second, &mut Backoff::default(), Ok(())).await;
    let refused: Vec<_> = rig.links.borrow().refused.iter().map(|it| it.name.clone()).collect();
    assert_eq!(refused, ["still odd"]);
    assert_eq!(rig.client.mesh.count(Kind::Address), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_lives_and_is_quiet_begins_anew_to_count_failures() {
    let (mut rig, (stream, responses)) = (Rig::new(), stream());
    let mut backoff = Backoff::default();
    let first = backoff.next(u32::MAX);
    Kind::ALL.into_iter().for_each(|kind| responses.send(response(kind, vec![])).unwrap());
    let says = async move {
        sleep(Duration::from_mins(1)).await;
        drop(responses);
    };
    let (end, ()) = join!(rig.listen(stream, &mut backoff, Ok(())), says);
    assert!(matches!(end, End::Closed), "{end}");
    assert_eq!(backoff.next(u32::MAX), first);
}

#[tokio::test(start_paused = true)]
async fn streams_do_not_grow_old_together() {
    let mut ages = Vec::new();
    for _ in 0..2 {
        let (mut rig, (stream, responses)) = (Rig::new(), stream());
        Kind::ALL.into_iter().for_each(|kind| responses.send(response(kind, vec![])).unwrap());
        let began = Instant::now();
        let end = rig.listen(stream, &mut Backoff::default(), Ok(())).await;
        assert!(matches!(end, End::Old), "{end}");
        ages.push(began.elapsed());
    }
    assert!(
        ages[0] != ages[1] && ages.iter().all(|age| (AGE_MAX * 4 / 5..=AGE_MAX).contains(age)),
        "{ages:?}"
    );
}

/// A control plane that accepts and is silent keeps nobody from hearing others, and the agent from ending.
#[tokio::test]
async fn who_waits_for_a_stream_hears_name_servers_and_the_end() {
    let mut rig = Rig::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    rig.client.config.address = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let mut outside = workload("w1", [0; 4], &["web"]);
    (outside.addresses, outside.hostname) = (vec![], "db.example.com".into());
    rig.client.mesh.take(said(vec![of_workload(outside)]));
    Kind::ALL.into_iter().for_each(|kind| rig.client.whole.insert(kind));
    let (answers, answered) = mpsc::channel(1);
    rig.client.ports.answers = answered;

    let running = tokio::spawn(rig.client.run());
    let _connection = silent.accept().await.unwrap();
    let (hostname, addresses) = ("db.example.com".into(), vec![[192, 0, 2, 1].into()]);
    answers.send(Answer { hostname, addresses, is_whole: true }).await.unwrap();
    let offer = timeout(FIRST_ANSWER_MAX / 3, rig.offers.recv()).await.unwrap().unwrap();
    assert!(offer.snapshot.workloads().any(|workload| !workload.addresses.is_empty()));
    offer.done.send(Ok(())).unwrap();
    drop(rig.offers);
    timeout(FIRST_ANSWER_MAX / 3, running).await.unwrap().unwrap();
}
