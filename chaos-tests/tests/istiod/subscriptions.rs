//! What a subscription is answered with.

use evermesh_chaos_tests::istiod::{
    Config, Istiod, Release, address_name, deny_all, service, service_name, workload,
};
use evermesh_proto::{
    discovery::DeltaDiscoveryRequest,
    security::{AUTHORIZATION, Authorization},
    workload::{ADDRESS, Address},
};
use prost::Message;

use crate::client::{Client, names, subscription, versions};

const BOTH: [Release; 2] = [Release::V1_30, Release::V1_31];

fn istiod(release: Release) -> Istiod {
    let istiod = Istiod::start(Config { release, ..Config::default() }).unwrap();
    let web = service_name("demo", "web");
    istiod.put(service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)]));
    istiod.put(workload("Kubernetes//Pod/demo/web-1", [10, 1, 0, 1], [(web.as_str(), [(80, 8080)])]));
    istiod.allow(deny_all("demo", "nobody"));
    istiod
}

#[tokio::test]
async fn a_subscription_is_answered_with_everything_of_its_type() {
    for release in BOTH {
        let istiod = istiod(release);
        let mut client = Client::open(&istiod).await;
        client.subscribe(ADDRESS);
        let addresses = client.next().await;
        assert_eq!(addresses.type_url, ADDRESS);
        assert_eq!(names(&addresses), ["Kubernetes//Pod/demo/web-1", "demo/web.demo.svc.cluster.local"]);
        for resource in &addresses.resources {
            let packed = resource.resource.as_ref().unwrap();
            assert_eq!(packed.type_url, ADDRESS);
            assert_eq!(address_name(&Address::decode(packed.value.clone()).unwrap()), resource.name);
        }

        client.subscribe(AUTHORIZATION);
        let policies = client.next().await;
        assert_eq!(names(&policies), ["demo/nobody"]);
        let packed = policies.resources[0].resource.clone().unwrap();
        assert_eq!(Authorization::decode(packed.value).unwrap(), deny_all("demo", "nobody"));
        assert_ne!(addresses.nonce, policies.nonce);
        assert!(addresses.nonce.starts_with(&addresses.system_version_info));
    }
}

#[tokio::test]
async fn a_star_is_a_wildcard_too() {
    let istiod = istiod(Release::V1_31);
    let mut client = Client::open(&istiod).await;
    let resource_names_subscribe = vec!["*".to_owned()];
    client.say(DeltaDiscoveryRequest { resource_names_subscribe, ..subscription(ADDRESS) });
    let response = client.next().await;
    assert_eq!(response.resources.len(), 2);
    assert!(response.removed_resources.is_empty());
}

#[tokio::test]
async fn an_empty_world_is_answered_with_an_empty_response() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let mut client = Client::open(&istiod).await;
    for type_url in [ADDRESS, AUTHORIZATION] {
        client.subscribe(type_url);
        let response = client.next().await;
        assert_eq!(response.type_url, type_url);
        assert!(response.resources.is_empty() && response.removed_resources.is_empty());
        assert!(!response.nonce.is_empty());
    }
}

#[tokio::test]
async fn versions_are_hashes_in_1_31_and_empty_in_1_30_and_policies_have_none() {
    for release in BOTH {
        let (first, second) = (istiod(release), istiod(release));
        let mut seen = Vec::new();
        for istiod in [&first, &second] {
            let mut client = Client::open(istiod).await;
            client.subscribe(ADDRESS);
            let addresses = client.next().await;
            client.subscribe(AUTHORIZATION);
            assert_eq!(client.next().await.resources[0].version, "");
            let empty = addresses.resources.iter().all(|resource| resource.version.is_empty());
            assert_eq!(empty, release == Release::V1_30);
            seen.push(addresses);
        }
        assert_eq!(versions(&seen[0]), versions(&seen[1]), "the same on every replica");
    }
}

#[tokio::test]
async fn what_a_client_kept_is_skipped_in_1_31_alone() {
    for release in BOTH {
        let istiod = istiod(release);
        let mut client = Client::open(&istiod).await;
        client.subscribe(ADDRESS);
        let everything = client.next().await;

        let mut returned = Client::open(&istiod).await;
        let mut kept = versions(&everything);
        kept[1].1 = "of another time";
        kept.push(("gone", "1"));
        returned.resubscribe(ADDRESS, kept);
        let response = returned.next().await;
        match release {
            Release::V1_30 => assert_eq!(names(&response), names(&everything)),
            Release::V1_31 => assert_eq!(names(&response), ["demo/web.demo.svc.cluster.local"]),
        }
        assert_eq!(response.removed_resources, ["gone"]);
    }
}

#[tokio::test]
async fn one_response_comes_even_if_the_client_has_everything() {
    let istiod = istiod(Release::V1_31);
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let everything = client.next().await;
    let mut returned = Client::open(&istiod).await;
    returned.resubscribe(ADDRESS, versions(&everything));
    let response = returned.next().await;
    assert!(response.resources.is_empty() && response.removed_resources.is_empty());
}

#[tokio::test]
async fn policies_are_never_skipped_and_those_gone_are_removed() {
    for release in BOTH {
        let istiod = istiod(release);
        let mut client = Client::open(&istiod).await;
        client.resubscribe(AUTHORIZATION, [("demo/nobody", ""), ("demo/gone", "")]);
        let response = client.next().await;
        assert_eq!(names(&response), ["demo/nobody"]);
        assert_eq!(response.removed_resources, ["demo/gone"]);
    }
}

#[tokio::test]
async fn other_types_are_not_answered() {
    let istiod = istiod(Release::V1_31);
    let mut client = Client::open(&istiod).await;
    client.subscribe("type.googleapis.com/envoy.config.cluster.v3.Cluster");
    client.subscribe(AUTHORIZATION);
    assert_eq!(client.next().await.type_url, AUTHORIZATION);
}

#[tokio::test]
async fn a_hundred_thousand_resources_come_in_one_response() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let none = || std::iter::empty::<(&str, [(u32, u32); 0])>();
    let pods =
        (0..100_000u32).map(|pod| workload(&format!("pod-{pod}"), (10 << 24 | pod).to_be_bytes(), none()));
    istiod.put_all(pods);
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let response = client.next().await;
    assert_eq!(response.resources.len(), 100_000);
    let seen = istiod.seen();
    assert_eq!(seen.resources_sent(), 100_000);
    assert_eq!(seen.bytes_sent(), response.encoded_len());
}
