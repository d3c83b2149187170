//! Control planes that go and come back.

use std::{
    io,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use evermesh_chaos_tests::istiod::{Config, Ended, Error, Istiod, Release, deny_all, service};
use evermesh_proto::workload::ADDRESS;
use tonic::Code;

use crate::client::{Client, names, versions};

#[tokio::test]
async fn it_comes_back_at_the_same_port_with_what_it_had() {
    let mut istiod = Istiod::start(Config::default()).unwrap();
    istiod.put(service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)]));
    let address = istiod.address();
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let before = client.next().await;

    istiod.stop();
    assert_ne!(client.end().await.code(), Code::Ok);
    assert_eq!(istiod.seen().streams[0].ended, Some(Ended::Cut));
    let refused = TcpStream::connect(address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

    istiod.start_again().unwrap();
    assert_eq!(istiod.address(), address);
    let mut returned = Client::open(&istiod).await;
    returned.resubscribe(ADDRESS, versions(&before));
    let after = returned.next().await;
    assert!(after.resources.is_empty(), "{after:?}");
    let seen = istiod.seen();
    assert_eq!((seen.streams.len(), seen.open_streams()), (2, 1), "what was seen is kept");
}

#[tokio::test]
async fn it_may_come_back_as_another_release_with_another_world() {
    let mut istiod = Istiod::start(Config { release: Release::V1_30, ..Config::default() }).unwrap();
    istiod.put(service("demo", "old", [[10, 96, 0, 1]], [(80, 8080)]));
    istiod.stop();
    istiod.configure(|config| config.release = Release::V1_31);
    istiod.replace([], [deny_all("demo", "nobody")]);
    istiod.put(service("demo", "new", [[10, 96, 0, 2]], [(80, 8080)]));
    istiod.start_again().unwrap();
    let mut client = Client::open(&istiod).await;
    client.resubscribe(ADDRESS, [("demo/old.demo.svc.cluster.local", "")]);
    let response = client.next().await;
    assert_eq!(names(&response), ["demo/new.demo.svc.cluster.local"]);
    assert_eq!(response.removed_resources, ["demo/old.demo.svc.cluster.local"]);
    assert!(!response.resources[0].version.is_empty());
}

#[tokio::test]
async fn versions_learnt_from_1_31_make_1_30_skip_nothing() {
    let mut istiod = Istiod::start(Config::default()).unwrap();
    istiod.put(service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)]));
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    let before = client.next().await;
    istiod.stop();
    istiod.configure(|config| config.release = Release::V1_30);
    istiod.start_again().unwrap();
    let mut returned = Client::open(&istiod).await;
    returned.resubscribe(ADDRESS, versions(&before));
    assert_eq!(names(&returned.next().await), names(&before));
}

#[test]
fn it_is_not_started_twice() {
    let mut istiod = Istiod::start(Config::default()).unwrap();
    assert!(matches!(istiod.start_again(), Err(Error::Running { .. })));
}

#[test]
fn a_thread_waits_until_something_is_seen() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let address = istiod.address();
    let connecting = thread::spawn(move || TcpStream::connect(address).unwrap());
    let seen = istiod.wait_for("a connection", |seen| seen.connections == 1).unwrap();
    assert!(seen.streams.is_empty());
    connecting.join().unwrap();
}

#[test]
fn dropped_it_is_gone_at_once() {
    let istiod = Istiod::start(Config::default()).unwrap();
    let address = istiod.address();
    let _idle = TcpStream::connect(address).unwrap();
    let dropping = Instant::now();
    drop(istiod);
    assert!(dropping.elapsed() < Duration::from_secs(10));
    TcpStream::connect(address).unwrap_err();
}
