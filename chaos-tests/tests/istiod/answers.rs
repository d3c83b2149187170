//! What is answered and what is not, after the first response.

use evermesh_chaos_tests::istiod::{Config, Ended, Istiod, Kind, Release, deny_all, service};
use evermesh_proto::{
    discovery::DeltaDiscoveryRequest,
    security::AUTHORIZATION,
    workload::{ADDRESS, Service},
};
use tonic::Code;

use crate::client::{Client, names};

fn web() -> Service {
    service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)])
}

async fn subscribed(release: Release) -> (Istiod, Client, evermesh_proto::discovery::DeltaDiscoveryResponse) {
    let istiod = Istiod::start(Config { release, ..Config::default() }).unwrap();
    istiod.put(web());
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let response = client.next().await;
    (istiod, client, response)
}

/// Requests are read in order: what comes next answers this one.
async fn assert_nothing_came(client: &mut Client) {
    client.subscribe(AUTHORIZATION);
    assert_eq!(client.next().await.type_url, AUTHORIZATION);
}

#[tokio::test]
async fn acks_and_nacks_are_seen_and_never_answered() {
    let (istiod, mut client, response) = subscribed(Release::V1_31).await;
    client.ack(&response);
    client.nack(&response, "no thanks");
    assert_nothing_came(&mut client).await;
    let seen = istiod.seen();
    assert_eq!(seen.acks(ADDRESS), 1);
    let nacks = seen.nacks(ADDRESS);
    assert_eq!(nacks.len(), 1);
    assert_eq!((nacks[0].code, nacks[0].message.as_str()), (3, "no thanks"));
    assert_eq!(seen.streams[0].requests[2].message.response_nonce, response.nonce);
}

#[tokio::test]
async fn a_stale_nonce_is_ignored() {
    let (istiod, mut client, first) = subscribed(Release::V1_31).await;
    istiod.put(service("demo", "web", [[10, 96, 0, 2]], [(80, 8080)]));
    let second = client.next().await;
    client.ack(&first);
    client.ack(&second);
    assert_nothing_came(&mut client).await;
    let kinds: Vec<_> = istiod.seen().requests().map(|request| request.kind).collect();
    assert_eq!(kinds, [Kind::Subscription, Kind::Stale, Kind::Ack, Kind::Subscription]);
}

#[tokio::test]
async fn a_request_that_says_nothing_is_ignored() {
    let (istiod, mut client, _) = subscribed(Release::V1_31).await;
    client.subscribe(ADDRESS);
    assert_nothing_came(&mut client).await;
    assert_eq!(istiod.seen().of(Kind::Empty, ADDRESS).count(), 1);
}

#[tokio::test]
async fn naming_an_address_again_is_answered_in_1_31_alone() {
    for release in [Release::V1_30, Release::V1_31] {
        let (_istiod, mut client, everything) = subscribed(release).await;
        let named = || DeltaDiscoveryRequest {
            type_url: ADDRESS.to_owned(),
            resource_names_subscribe: vec!["never/there".to_owned()],
            ..DeltaDiscoveryRequest::default()
        };
        client.say(named());
        let response = client.next().await;
        assert_eq!(names(&response), names(&everything));
        assert_eq!(response.removed_resources, ["never/there"]);
        client.say(named());
        if release == Release::V1_31 {
            assert_eq!(client.next().await.removed_resources, ["never/there"]);
        }
        assert_nothing_came(&mut client).await;
    }
}

#[tokio::test]
async fn naming_a_policy_is_answered_with_all_policies() {
    let istiod = Istiod::start(Config::default()).unwrap();
    istiod.allow(deny_all("demo", "a"));
    let mut client = Client::open(&istiod).await;
    client.subscribe(AUTHORIZATION);
    client.next().await;
    client.say(DeltaDiscoveryRequest {
        type_url: AUTHORIZATION.to_owned(),
        resource_names_subscribe: vec!["demo/b".to_owned()],
        ..DeltaDiscoveryRequest::default()
    });
    let response = client.next().await;
    assert_eq!(names(&response), ["demo/a"]);
    assert_eq!(response.removed_resources, ["demo/b"]);
}

#[tokio::test]
async fn a_client_that_closes_its_side_has_the_stream_closed_with_ok() {
    let (istiod, mut client, _) = subscribed(Release::V1_31).await;
    client.close();
    assert_eq!(client.end().await.code(), Code::Ok);
    assert_eq!(istiod.seen().streams[0].ended, Some(Ended::With(Code::Ok, String::new())));
}

#[tokio::test]
async fn a_client_that_leaves_is_seen_to_leave() {
    let (istiod, client, _) = subscribed(Release::V1_31).await;
    drop(client);
    let seen = istiod.until("the client to leave", |seen| seen.open_streams() == 0).await.unwrap();
    assert_eq!(seen.streams[0].ended, Some(Ended::ClientLeft));
}
