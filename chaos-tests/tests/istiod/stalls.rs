//! Responses that come late, in part or never.

use std::time::{Duration, Instant};

use evermesh_chaos_tests::istiod::{Config, Istiod, Kind, Lie, Seen, service};
use evermesh_proto::{security::AUTHORIZATION, workload::ADDRESS};
use prost::Message;
use tonic::Code;

use crate::client::Client;

fn istiod() -> Istiod {
    let istiod = Istiod::start(Config::default()).unwrap();
    istiod.put(service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)]));
    istiod
}

/// Says more on a stream and sees it heard, so that whatever was to be sent has been.
async fn heard(istiod: &Istiod, client: &Client) {
    client.subscribe(AUTHORIZATION);
    let asked = |seen: &Seen| seen.of(Kind::Subscription, AUTHORIZATION).count() == 1;
    istiod.until("the second request", asked).await.unwrap();
}

#[tokio::test]
async fn a_stalled_stream_stays_open_and_says_nothing_more() {
    let mut istiod = istiod();
    istiod.lie(Lie::Stall);
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    heard(&istiod, &client).await;
    let mut second = Client::open(&istiod).await;
    second.subscribe(ADDRESS);
    second.next().await;
    let seen = istiod.seen();
    assert!(seen.streams[0].responses.is_empty() && seen.streams[0].ended.is_none());
    istiod.stop();
    assert_ne!(client.end().await.code(), Code::Ok, "the end is all that ever came");
}

#[tokio::test]
async fn a_stream_may_stall_after_some_responses() {
    let mut istiod = istiod();
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    client.next().await;
    istiod.lie(Lie::Stall);
    heard(&istiod, &client).await;
    istiod.stop();
    assert_ne!(client.end().await.code(), Code::Ok);
    assert_eq!(istiod.seen().responses().count(), 1);
}

#[tokio::test]
async fn half_a_response_is_sent_and_nothing_more() {
    let mut istiod = istiod();
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let whole = client.next().await;
    istiod.lie(Lie::Half);
    istiod.push_again(["demo/web.demo.svc.cluster.local"]);
    istiod.until("half a response", |seen| seen.responses().count() == 2).await.unwrap();
    heard(&istiod, &client).await;
    let seen = istiod.seen();
    let half = &seen.streams[0].responses[1];
    assert!(half.bytes > 0 && half.bytes < whole.encoded_len(), "{} bytes", half.bytes);
    istiod.stop();
    assert_ne!(client.end().await.code(), Code::Ok, "half a message is no message");
}

#[tokio::test]
async fn a_late_response_comes_after_its_time() {
    let istiod = istiod();
    let late = Duration::from_millis(200);
    istiod.lie(Lie::Late(late));
    let mut client = Client::open(&istiod).await;
    let asked = Instant::now();
    client.subscribe(ADDRESS);
    assert_eq!(client.next().await.resources.len(), 1);
    assert!(asked.elapsed() >= late, "after {:?}", asked.elapsed());
}
