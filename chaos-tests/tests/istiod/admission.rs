//! Who is let in: node, token, TLS, size.

use std::collections::HashMap;

use evermesh_chaos_tests::istiod::{Config, Ended, Istiod, Kind as Meaning, RequestSeen, Tls};
use evermesh_proto::{
    discovery::{DeltaDiscoveryRequest, Node},
    security::AUTHORIZATION,
    workload::ADDRESS,
};
use prost_types::{Struct, Value, value::Kind};
use tonic::{
    Code,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Error},
};

use crate::client::{Client, NODE, channel, node, subscription};

#[tokio::test]
async fn a_node_without_a_proper_id_is_refused() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let nobody = [None, Some(""), Some("evermesh"), Some("cni~10.0.0.1~a~b"), Some("ztunnel~~a~b")];
    for id in nobody {
        let mut client = Client::open(&istiod).await;
        client.say(DeltaDiscoveryRequest { node: id.map(node), ..subscription(ADDRESS) });
        assert_eq!(client.end().await.code(), Code::InvalidArgument, "{id:?}");
    }
    let refused = |request: &RequestSeen| request.kind == Meaning::Refused;
    let seen = istiod.seen();
    assert_eq!(seen.streams.len(), nobody.len());
    assert!(seen.requests().all(refused));
}

#[tokio::test]
async fn the_address_of_a_node_may_be_in_its_metadata() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let kind = Some(Kind::StringValue("10.0.0.1,fd00::1".to_owned()));
    let metadata = Struct { fields: [("INSTANCE_IPS".to_owned(), Value { kind })].into() };
    let introduced = Node { metadata: Some(metadata), ..node("ztunnel~~a~b") };
    let mut client = Client::open(&istiod).await;
    client.say(DeltaDiscoveryRequest { node: Some(introduced.clone()), ..subscription(ADDRESS) });
    client.next().await;
    assert_eq!(istiod.seen().streams[0].node, Some(introduced));
}

#[tokio::test]
async fn only_the_first_request_must_name_the_node() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    client.next().await;
    client.say(DeltaDiscoveryRequest { node: None, ..subscription(AUTHORIZATION) });
    assert_eq!(client.next().await.type_url, AUTHORIZATION);
    assert_eq!(istiod.seen().streams[0].node, Some(node(NODE)));
}

#[tokio::test]
async fn a_token_must_match_and_may_change_meanwhile() {
    let istiod = Istiod::start(Config { token: Some("old".to_owned()), ..Config::default() }).unwrap();
    let channel = channel(&istiod).await;
    let mut let_in = Client::on(channel.clone(), Some("Bearer old"));
    let_in.subscribe(ADDRESS);
    let_in.next().await;
    istiod.configure(|config| config.token = Some("new".to_owned()));
    for authorization in [None, Some("Bearer old"), Some("new")] {
        let mut refused = Client::on(channel.clone(), authorization);
        refused.subscribe(ADDRESS);
        assert_eq!(refused.end().await.code(), Code::Unauthenticated, "{authorization:?}");
    }
    let mut renewed = Client::on(channel, Some("Bearer new"));
    renewed.subscribe(ADDRESS);
    renewed.next().await;
    let_in.subscribe(AUTHORIZATION);
    assert_eq!(let_in.next().await.type_url, AUTHORIZATION, "open streams stay open");
    assert_eq!(istiod.seen().streams[0].authorization.as_deref(), Some("Bearer old"));
}

async fn connect(istiod: &Istiod, trusted: &Tls) -> Result<Channel, Error> {
    let root = Certificate::from_pem(trusted.root_pem());
    let tls = ClientTlsConfig::new().ca_certificate(root).domain_name("istiod.istio-system.svc");
    Endpoint::from_shared(format!("https://{}", istiod.address()))?.tls_config(tls)?.connect().await
}

#[tokio::test]
async fn tls_is_served_to_those_who_trust_its_root() {
    let tls = Tls::generate(&["istiod.istio-system.svc"]).unwrap();
    let istiod = Istiod::start(Config { tls: Some(tls.clone()), ..Config::default() }).unwrap();
    let mut client = Client::on(connect(&istiod, &tls).await.unwrap(), None);
    client.subscribe(ADDRESS);
    client.next().await;
    let other = Tls::generate(&["istiod.istio-system.svc"]).unwrap();
    connect(&istiod, &other).await.unwrap_err();
    assert_eq!(istiod.seen().connections, 2);
}

fn retained(count: usize) -> HashMap<String, String> {
    (0..count).map(|number| (format!("{number:0>80}"), "0123456789abcdef".to_owned())).collect()
}

#[tokio::test]
async fn a_request_of_more_than_4_mib_is_refused() {
    let istiod = Istiod::start(Config::default()).unwrap();
    for (count, fits) in [(35_000, true), (45_000, false)] {
        let mut client = Client::open(&istiod).await;
        let initial_resource_versions = retained(count);
        client.say(DeltaDiscoveryRequest { initial_resource_versions, ..subscription(ADDRESS) });
        if fits {
            assert_eq!(client.next().await.removed_resources.len(), count);
        } else {
            assert_eq!(client.end().await.code(), Code::ResourceExhausted);
        }
    }
    let seen = istiod.seen();
    let request = &seen.streams[0].requests[0];
    assert_eq!(request.initial_versions(), 35_000);
    assert!((3 << 20..4 << 20).contains(&request.bytes), "{}", request.bytes);
    assert!(seen.streams[1].requests.is_empty());
    assert!(matches!(seen.streams[1].ended, Some(Ended::With(Code::ResourceExhausted, _))));
}

#[tokio::test]
async fn addresses_on_demand_are_refused_rather_than_served_wrongly() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let mut client = Client::open(&istiod).await;
    let resource_names_subscribe = vec!["demo/web.demo.svc.cluster.local".to_owned()];
    client.say(DeltaDiscoveryRequest { resource_names_subscribe, ..subscription(ADDRESS) });
    assert_eq!(client.end().await.code(), Code::Unimplemented);
}
