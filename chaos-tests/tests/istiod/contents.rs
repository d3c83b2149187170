//! Lies about what is in a response.

use evermesh_chaos_tests::istiod::{
    Config, FOREIGN_TYPE, Istiod, Lie, Order, deny_all, service, service_name,
};
use evermesh_proto::{
    discovery::DeltaDiscoveryResponse,
    security::AUTHORIZATION,
    workload::{ADDRESS, Address},
};
use prost::Message;

use crate::client::{Client, names};

fn istiod() -> Istiod {
    let istiod = Istiod::start(Config::default()).unwrap();
    for (name, vip) in [("a", 1), ("b", 2)] {
        istiod.put(service("demo", name, [[10, 96, 0, vip]], [(80, 8080)]));
    }
    istiod
}

/// What a client is answered after that order, and afterwards.
async fn after(order: impl Into<Order>) -> (DeltaDiscoveryResponse, DeltaDiscoveryResponse) {
    let istiod = istiod();
    istiod.lie(order);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut client = Client::open(&istiod).await;
        client.subscribe(ADDRESS);
        answers.push(client.next().await);
    }
    let told: Vec<_> = istiod.seen().responses().map(|response| response.lies.len()).collect();
    assert_eq!(told, [1, 0]);
    let honest = answers.pop().unwrap();
    (answers.pop().unwrap(), honest)
}

fn type_url(response: &DeltaDiscoveryResponse, resource: usize) -> &str {
    &response.resources[resource].resource.as_ref().unwrap().type_url
}

fn decodes(response: &DeltaDiscoveryResponse, resource: usize) -> bool {
    let packed = response.resources[resource].resource.as_ref().unwrap();
    Address::decode(packed.value.clone()).is_ok()
}

#[tokio::test]
async fn garbage_is_no_message_and_the_rest_of_the_response_is_whole() {
    let (lie, honest) = after(Lie::Garbage).await;
    assert_eq!(names(&lie), names(&honest));
    assert!(!decodes(&lie, 0) && decodes(&lie, 1));
    assert!(decodes(&honest, 0));
}

#[tokio::test]
async fn a_lie_is_told_of_the_resource_it_is_ordered_for() {
    let (lie, _) = after(Lie::Garbage.on(&service_name("demo", "b"))).await;
    assert!(decodes(&lie, 0) && !decodes(&lie, 1));
}

#[tokio::test]
async fn a_resource_is_of_another_type() {
    let (lie, honest) = after(Lie::OtherType).await;
    assert_eq!((type_url(&lie, 0), type_url(&lie, 1)), (FOREIGN_TYPE, ADDRESS));
    assert_eq!(type_url(&honest, 0), ADDRESS);
}

#[tokio::test]
async fn a_resource_has_no_content() {
    let (lie, honest) = after(Lie::NoResource).await;
    assert_eq!(lie.resources[0].resource, None);
    assert_eq!(lie.resources[1], honest.resources[1]);
}

#[tokio::test]
async fn a_name_is_empty() {
    let (lie, honest) = after(Lie::EmptyName).await;
    assert_eq!(names(&lie), ["", names(&honest)[1]]);
}

#[tokio::test]
async fn a_name_does_not_match_its_resource() {
    let (lie, honest) = after(Lie::WrongName).await;
    assert_eq!(names(&lie), [&format!("not/{}", names(&honest)[0]), names(&honest)[1]]);
    assert_eq!(lie.resources[0].resource, honest.resources[0].resource);
}

#[tokio::test]
async fn a_name_is_there_twice() {
    let (lie, honest) = after(Lie::DuplicateName).await;
    let [a, b] = names(&honest)[..] else { panic!("{honest:?}") };
    assert_eq!(names(&lie), [a, b, a]);
}

#[tokio::test]
async fn a_resource_is_there_and_removed() {
    let (lie, honest) = after(Lie::AddedAndRemoved).await;
    assert_eq!(names(&lie), names(&honest));
    assert_eq!(lie.removed_resources, [names(&honest)[0]]);
}

#[tokio::test]
async fn a_response_is_of_an_unknown_type() {
    let (lie, honest) = after(Lie::UnknownType).await;
    assert_eq!((lie.type_url.as_str(), honest.type_url.as_str()), (FOREIGN_TYPE, ADDRESS));
}

#[tokio::test]
async fn a_nonce_is_empty() {
    let (lie, honest) = after(Lie::EmptyNonce).await;
    assert!(lie.nonce.is_empty() && !honest.nonce.is_empty());
}

#[tokio::test]
async fn a_nonce_is_repeated_and_its_ack_is_an_ack() {
    let istiod = istiod();
    istiod.lie(Lie::RepeatedNonce);
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let first = client.next().await;
    istiod.remove(&service_name("demo", "a"));
    let second = client.next().await;
    assert_eq!(second.nonce, first.nonce);
    client.ack(&second);
    istiod.until("the ACK", |seen| seen.acks(ADDRESS) == 1).await.unwrap();
    istiod.remove(&service_name("demo", "b"));
    assert_ne!(client.next().await.nonce, first.nonce);
}

#[tokio::test]
async fn a_lie_waits_for_a_response_that_it_can_be_told_in() {
    let istiod = istiod();
    istiod.allow(deny_all("demo", "nobody"));
    istiod.lie(Lie::EmptyName.about(AUTHORIZATION));
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    assert!(!names(&client.next().await).contains(&""));
    client.subscribe(AUTHORIZATION);
    assert_eq!(names(&client.next().await), [""]);
}

#[tokio::test]
async fn a_lie_is_told_as_often_as_ordered() {
    let istiod = istiod();
    let name = service_name("demo", "a");
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    client.next().await;
    let pushed = async |client: &mut Client| {
        istiod.push_again([name.as_str()]);
        names(&client.next().await) == [""]
    };
    istiod.lie(Lie::EmptyName.times(2));
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(pushed(&mut client).await);
    }
    assert_eq!(told, [true, true, false]);

    istiod.lie(Lie::EmptyName.every(3));
    told.clear();
    for _ in 0..6 {
        told.push(pushed(&mut client).await);
    }
    assert_eq!(told, [false, false, true, false, false, true]);

    istiod.lie(Lie::EmptyName.for_good());
    for _ in 0..4 {
        assert!(pushed(&mut client).await);
    }
    istiod.be_honest();
    assert!(!pushed(&mut client).await);
}

#[tokio::test]
async fn several_lies_are_told_at_a_time() {
    let istiod = istiod();
    istiod.lie(Lie::Garbage.on(&service_name("demo", "a")));
    istiod.lie(Lie::EmptyName.on(&service_name("demo", "b")));
    istiod.lie(Lie::EmptyNonce);
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let response = client.next().await;
    assert!(!decodes(&response, 0) && response.resources[1].name.is_empty() && response.nonce.is_empty());
    assert_eq!(istiod.seen().streams[0].responses[0].lies, [Lie::Garbage, Lie::EmptyName, Lie::EmptyNonce]);
}
