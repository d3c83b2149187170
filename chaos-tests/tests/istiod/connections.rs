//! Streams and connections that end before their time.

use std::time::{Duration, Instant};

use evermesh_chaos_tests::{
    istiod::{Config, Ended, Istiod, Lie, service},
    wait::stretched,
};
use evermesh_proto::workload::ADDRESS;
use tonic::{Code, Status};

use crate::{
    client::{Client, channel},
    socket::{self, Reset},
};

fn istiod() -> Istiod {
    let istiod = Istiod::start(Config::default()).unwrap();
    istiod.put(service("demo", "web", [[10, 96, 0, 1]], [(80, 8080)]));
    istiod
}

/// How a stream ends.
#[derive(Debug)]
struct End {
    status: Status,
    is_connection_reset: bool,
}

/// That of one whose first response is that lie, and of one that has had a response.
async fn ends(lie: Lie) -> [End; 2] {
    let istiod = istiod();
    let resets = [Reset::default(), Reset::default()];
    let mut fresh = Client::on(socket::channel(&istiod, &resets[0]).await, None);
    istiod.lie(lie);
    fresh.subscribe(ADDRESS);
    let first = fresh.end().await;
    let mut subscribed = Client::on(socket::channel(&istiod, &resets[1]).await, None);
    subscribed.subscribe(ADDRESS);
    subscribed.next().await;
    istiod.lie(lie);
    istiod.push_again(["demo/web.demo.svc.cluster.local"]);
    let second = subscribed.end().await;
    let seen = istiod.seen();
    let expected = match lie {
        Lie::End(code) => Ended::With(code, "as it was told to".to_owned()),
        _ => Ended::Cut,
    };
    assert!(seen.streams.iter().all(|stream| stream.ended.as_ref() == Some(&expected)), "{seen:?}");
    let [fresh, subscribed] = resets.map(|reset| reset.is_known());
    [
        End { status: first, is_connection_reset: fresh },
        End { status: second, is_connection_reset: subscribed },
    ]
}

#[tokio::test]
async fn a_connection_is_reset() {
    for end in ends(Lie::ResetConnection).await {
        assert!(end.is_connection_reset, "{end:?}");
    }
}

#[tokio::test]
async fn a_connection_is_closed() {
    for end in ends(Lie::CloseConnection).await {
        assert_ne!(end.status.code(), Code::Ok);
    }
}

#[tokio::test]
async fn a_stream_is_reset_and_its_connection_goes_on() {
    for end in ends(Lie::ResetStream).await {
        assert_eq!(end.status.code(), Code::Internal, "{end:?}");
        assert!(!end.is_connection_reset, "{end:?}");
    }
    let istiod = istiod();
    let channel = channel(&istiod).await;
    istiod.lie(Lie::ResetStream);
    for reset in [true, false] {
        let mut client = Client::on(channel.clone(), None);
        client.subscribe(ADDRESS);
        assert_eq!(client.hear().await.is_err(), reset);
    }
    assert_eq!(istiod.seen().connections, 1);
}

#[tokio::test]
async fn a_stream_ends_with_any_status() {
    for code in [Code::Ok, Code::Unavailable, Code::Internal] {
        for end in ends(Lie::End(code)).await {
            assert_eq!(end.status.code(), code, "{end:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_cut_every_third_response() {
    let istiod = istiod();
    istiod.lie(Lie::ResetConnection.every(3));
    let mut answered = Vec::new();
    for _ in 0..6 {
        let mut client = Client::open(&istiod).await;
        client.subscribe(ADDRESS);
        answered.push(client.hear().await.is_ok());
    }
    assert_eq!(answered, [true, true, false, true, true, false]);
}

#[tokio::test]
async fn after_a_goaway_old_streams_go_on_and_new_ones_need_a_new_connection() {
    let istiod = istiod();
    let channel = channel(&istiod).await;
    istiod.lie(Lie::GoAway(Duration::from_secs(3600)));
    let mut old = Client::on(channel.clone(), None);
    old.subscribe(ADDRESS);
    old.next().await;
    // The client learns of the GOAWAY in its own time.
    let opened = Instant::now();
    while istiod.seen().connections == 1 {
        assert!(opened.elapsed() < stretched(Duration::from_secs(20)), "no GOAWAY came");
        let mut new = Client::on(channel.clone(), None);
        new.subscribe(ADDRESS);
        let _ = new.hear().await;
    }
    istiod.push_again(["demo/web.demo.svc.cluster.local"]);
    assert_eq!(old.next().await.resources.len(), 1);
}

#[tokio::test]
async fn after_a_goaway_and_its_grace_the_connection_is_closed() {
    let istiod = istiod();
    istiod.lie(Lie::GoAway(Duration::from_millis(50)));
    let mut client = Client::open(&istiod).await;
    client.subscribe(ADDRESS);
    assert_eq!(client.next().await.resources.len(), 1);
    assert_ne!(client.end().await.code(), Code::Ok);
    let seen = istiod.until("the end of the stream", |seen| seen.open_streams() == 0).await.unwrap();
    assert_eq!(seen.streams[0].ended, Some(Ended::ClientLeft));
}
