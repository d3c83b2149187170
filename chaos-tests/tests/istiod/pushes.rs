//! What comes without being asked for.

use std::time::{Duration, Instant};

use evermesh_chaos_tests::istiod::{
    Config, IntoAddress, Istiod, Kind, Release, deny_all, service, service_name,
};
use evermesh_proto::{
    security::AUTHORIZATION,
    workload::{ADDRESS, Service},
};

use crate::client::{Client, names, versions};

fn numbered(number: u8) -> Service {
    service("demo", &format!("s{number}"), [[10, 96, 0, number]], [(80, 8080)])
}

fn name(number: u8) -> String {
    service_name("demo", &format!("s{number}"))
}

/// Subscribed to both types, the first responses read.
async fn subscribed(istiod: &Istiod) -> Client {
    let mut client = Client::open(istiod).await;
    for type_url in [ADDRESS, AUTHORIZATION] {
        client.subscribe(type_url);
        client.next().await;
    }
    client
}

#[tokio::test]
async fn a_change_is_pushed_as_what_changed_alone() {
    for release in [Release::V1_30, Release::V1_31] {
        let istiod = Istiod::start(Config { release, ..Config::default() }).unwrap();
        istiod.put_all([numbered(1), numbered(2)]);
        let mut client = subscribed(&istiod).await;
        istiod.put(numbered(3));
        let added = client.next().await;
        assert_eq!(names(&added), [name(3)]);
        assert_eq!(added.resources[0].version.is_empty(), release == Release::V1_30);
        istiod.remove(&name(1));
        let removed = client.next().await;
        assert!(removed.resources.is_empty());
        assert_eq!(removed.removed_resources, [name(1)]);
        istiod.allow(deny_all("demo", "nobody"));
        assert_eq!(names(&client.next().await), ["demo/nobody"]);
        istiod.remove_policy("demo/nobody");
        assert_eq!(client.next().await.removed_resources, ["demo/nobody"]);
    }
}

#[tokio::test]
async fn pushes_do_not_wait_for_acks_and_have_nonces_of_their_own() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let mut client = subscribed(&istiod).await;
    let mut nonces = Vec::new();
    for number in 1..=5 {
        istiod.put(numbered(number));
        let response = client.next().await;
        assert_eq!(names(&response), [name(number)]);
        nonces.push(response.nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 5);
    assert_eq!(istiod.seen().acks(ADDRESS), 0);
}

#[tokio::test]
async fn what_did_not_change_is_not_pushed() {
    let istiod = Istiod::start(Config::default()).unwrap();
    istiod.put(numbered(1));
    let mut client = subscribed(&istiod).await;
    istiod.put(numbered(1));
    istiod.remove("never/there");
    istiod.put(numbered(2));
    assert_eq!(names(&client.next().await), [name(2)]);
}

#[tokio::test]
async fn the_same_may_be_pushed_again_with_the_same_version() {
    let istiod = Istiod::start(Config::default()).unwrap();
    istiod.put(numbered(1));
    istiod.allow(deny_all("demo", "a"));
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let first = client.next().await;
    istiod.push_again([name(1).as_str(), "never/there"]);
    let again = client.next().await;
    assert_eq!(versions(&again), versions(&first));
    assert_eq!(again.removed_resources, ["never/there"]);
    client.subscribe(AUTHORIZATION);
    client.next().await;
    istiod.push_all_policies();
    assert_eq!(names(&client.next().await), ["demo/a"]);
}

#[tokio::test]
async fn a_replaced_world_is_one_push_of_each_type_addresses_first() {
    let istiod = Istiod::start(Config::default()).unwrap();
    istiod.put_all([numbered(1), numbered(2)]);
    istiod.allow(deny_all("demo", "a"));
    let mut client = subscribed(&istiod).await;
    istiod.replace([numbered(2), numbered(3)].map(IntoAddress::into_address), [deny_all("demo", "b")]);
    let addresses = client.next().await;
    assert_eq!(names(&addresses), [name(3)]);
    assert_eq!(addresses.removed_resources, [name(1)]);
    let policies = client.next().await;
    assert_eq!(names(&policies), ["demo/b"]);
    assert_eq!(policies.removed_resources, ["demo/a"]);
}

#[tokio::test]
async fn nothing_is_pushed_of_a_type_before_its_subscription() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let mut client = Client::open(&istiod).await;
    client.subscribe(AUTHORIZATION);
    client.next().await;
    istiod.put(numbered(1));
    istiod.allow(deny_all("demo", "a"));
    assert_eq!(client.next().await.type_url, AUTHORIZATION);
}

#[tokio::test]
async fn a_change_during_the_quiet_time_is_in_the_answer_and_is_pushed_again() {
    let debounce = Duration::from_millis(400);
    let istiod = Istiod::start(Config { debounce, ..Config::default() }).unwrap();
    let mut client = Client::open(&istiod).await;
    client.subscribe(AUTHORIZATION);
    client.next().await;
    let changed = Instant::now();
    istiod.put(numbered(1));
    client.subscribe(ADDRESS);
    let answer = client.next().await;
    assert_eq!(names(&answer), [name(1)]);
    if changed.elapsed() < debounce {
        let push = client.next().await;
        assert!(changed.elapsed() >= debounce, "pushed {:?} after the change", changed.elapsed());
        assert_eq!(versions(&push), versions(&answer));
        assert_ne!(push.nonce, answer.nonce);
    }
}

#[tokio::test]
async fn every_stream_gets_every_push() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let (mut one, mut other) = (subscribed(&istiod).await, subscribed(&istiod).await);
    istiod.put(numbered(1));
    for client in [&mut one, &mut other] {
        let push = client.next().await;
        assert_eq!(names(&push), [name(1)]);
        client.ack(&push);
    }
    let seen = istiod.until("both to accept it", |seen| seen.acks(ADDRESS) == 2).await.unwrap();
    assert_eq!(seen.connections, 2);
    assert!(seen.of(Kind::Ack, ADDRESS).all(|ack| ack.after_responses == 3));
}
