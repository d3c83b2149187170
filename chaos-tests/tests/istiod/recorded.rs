//! The imitation, held against what real Istiods said: each stream of a recording is played to it again, by the requests of
//! the recording, and it must answer as they did.
//!
//! Compared are, in their order, all responses of each stream: type, resources with their names and contents, removed names, and
//! what each version is made of; and what the imitation took each request for, so that nothing is answered that was not. Whoever
//! claims to have a version claims the real one's.
//!
//! Not compared are nonces, of which it is only asked that an answer with them is understood; versions of responses; the order of
//! resources in a response; the bytes of a resource, which Istio writes a little longer where a service has no ports; which
//! change is told together with which others, and when: the imitation is told of a change where the recording has its push.

use std::{collections::BTreeMap, fs, path::Path};

use evermesh_chaos_tests::istiod::{Config, Ended, Istiod, Kind, Release};
use evermesh_proto::{
    discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource},
    security::{AUTHORIZATION, Authorization},
    workload::{ADDRESS, Address},
};
use prost::Message;
use xxhash_rust::xxh64::xxh64;

use crate::client::Client;

const RELEASES: [(Release, &str); 2] =
    [(Release::V1_30, "istiod-1.30.xds"), (Release::V1_31, "istiod-1.31.xds")];

#[tokio::test]
async fn what_real_istiods_said_is_what_the_imitation_says() {
    for (release, file) in RELEASES {
        let (streams, mut told) = (streams(file), Told::default());
        assert_eq!(streams.len(), 7, "{file}");
        for (number, stream) in streams.iter().enumerate() {
            let played = play(release, stream, &mut told).await;
            assert_eq!(played, said(stream), "{file}, stream {number} from 0");
        }
    }
}

/// The control: what the test above must be able to see.
#[tokio::test]
async fn what_the_other_release_said_is_not_what_the_imitation_says() {
    for ((_, file), (other, _)) in RELEASES.into_iter().zip(RELEASES.into_iter().rev()) {
        let (mut told, mut differ) = (Told::default(), Vec::new());
        for stream in &streams(file) {
            differ.push(play(other, stream, &mut told).await.responses != said(stream).responses);
        }
        assert_eq!(differ, [true; 7], "{file}: versions are in one release alone");
    }
}

/// What one of them said on a stream.
#[derive(Debug, PartialEq)]
struct Said {
    responses: Vec<Response>,
    requests: Vec<(String, Kind)>,
}

/// A response, as far as it is compared: resources and removed names sorted.
#[derive(Debug, PartialEq)]
struct Response {
    type_url: String,
    resources: Vec<(String, Version, Content)>,
    removed: Vec<String>,
}

/// What a resource's version is made of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    None,
    HashOfItsBytes,
    Other(String),
}

/// As it would be written here, so that the same is equal.
type Content = Vec<u8>;

/// A message of a recording.
enum Line {
    Request(DeltaDiscoveryRequest),
    Response(DeltaDiscoveryResponse),
}

/// What was told up to now: by type, and there by name.
#[derive(Default)]
struct Told(BTreeMap<String, BTreeMap<String, Resource>>);

/// The streams of a recording, whose form is described where it is written.
fn streams(file: &str) -> Vec<Vec<Line>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(file);
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut streams) = (bytes.as_slice(), Vec::<Vec<Line>>::new());
    while let Some((kind, after)) = rest.split_first() {
        rest = after;
        let line = match kind {
            0 => {
                <()>::decode_length_delimited(&mut rest).unwrap();
                streams.push(Vec::new());
                continue;
            }
            1 => Line::Request(Message::decode_length_delimited(&mut rest).unwrap()),
            2 => Line::Response(Message::decode_length_delimited(&mut rest).unwrap()),
            other => panic!("{file}: a message of the kind {other}"),
        };
        streams.last_mut().unwrap().push(line);
    }
    streams
}

/// What the real one said, and what each request was: the first of its type subscribes.
fn said(stream: &[Line]) -> Said {
    let mut said = Said { responses: Vec::new(), requests: Vec::new() };
    for line in stream {
        match line {
            Line::Response(response) => said.responses.push(Response::of(response)),
            Line::Request(request) => {
                let kind = match &request.error_detail {
                    Some(_) => Kind::Nack,
                    None if request.response_nonce.is_empty() => Kind::Subscription,
                    None => Kind::Ack,
                };
                said.requests.push((request.type_url.clone(), kind));
            }
        }
    }
    said
}

/// Plays a stream to an imitation that has what the real one had.
async fn play(release: Release, stream: &[Line], told: &mut Told) -> Said {
    let mut istiod = Istiod::start(Config { release, ..Config::default() }).unwrap();
    let (mut nonces, mut heard) = (BTreeMap::new(), Vec::new());
    // What changes while nobody listens is pushed to nobody.
    istiod.stop();
    first_responses(stream).for_each(|response| told.hear(response));
    istiod.replace(told.addresses(), told.policies());
    istiod.start_again().unwrap();
    let mut client = Client::open(&istiod).await;
    let mut said = 0;
    for line in stream {
        match line {
            Line::Request(request) => {
                client.say(with_nonce(request, &nonces));
                said += 1;
            }
            Line::Response(response) => {
                if !first_responses(stream).any(|first| std::ptr::eq(first, response)) {
                    // An answer to what is no more the last response would be ignored.
                    istiod.until("all requests", |seen| seen.requests().count() == said).await.unwrap();
                    push(&istiod, response, told);
                }
                let answer = client.next().await;
                nonces.insert(response.nonce.clone(), answer.nonce.clone());
                heard.push(Response::of(&answer));
            }
        }
    }
    client.close();
    // It reads every request before it sees that there are no more.
    let ended = Some(Ended::With(tonic::Code::Ok, String::new()));
    let seen = istiod.until("the end of the stream", |seen| seen.streams[0].ended == ended).await.unwrap();
    let requests = seen.streams[0].requests.iter();
    assert_eq!(seen.streams[0].responses.len(), heard.len(), "nothing was said besides");
    Said {
        responses: heard,
        requests: requests.map(|request| (request.message.type_url.clone(), request.kind)).collect(),
    }
}

/// The answers to the subscriptions; all others are pushes.
fn first_responses(stream: &[Line]) -> impl Iterator<Item = &DeltaDiscoveryResponse> {
    let of_type = |type_url: &'static str| {
        stream.iter().find_map(move |line| match line {
            Line::Response(response) if response.type_url == type_url => Some(response),
            _ => None,
        })
    };
    [ADDRESS, AUTHORIZATION].into_iter().filter_map(of_type)
}

/// Lets the imitation's world change as the real one's did before it said this, which may be not at all.
fn push(istiod: &Istiod, response: &DeltaDiscoveryResponse, told: &mut Told) {
    if told.knows(response) {
        return istiod.push_again(response.resources.iter().map(|resource| resource.name.as_str()));
    }
    told.hear(response);
    istiod.replace(told.addresses(), told.policies());
}

/// The request, as an answer to what the imitation said instead.
fn with_nonce(request: &DeltaDiscoveryRequest, nonces: &BTreeMap<String, String>) -> DeltaDiscoveryRequest {
    let response_nonce = nonces.get(&request.response_nonce).cloned().unwrap_or_default();
    DeltaDiscoveryRequest { response_nonce, ..request.clone() }
}

impl Response {
    fn of(response: &DeltaDiscoveryResponse) -> Self {
        let mut resources: Vec<_> = response.resources.iter().map(compared).collect();
        resources.sort();
        let mut removed = response.removed_resources.clone();
        removed.sort();
        Self { type_url: response.type_url.clone(), resources, removed }
    }
}

fn compared(resource: &Resource) -> (String, Version, Content) {
    let packed = resource.resource.as_ref().unwrap();
    let content = match packed.type_url.as_str() {
        ADDRESS => Address::decode(packed.value.clone()).unwrap().encode_to_vec(),
        AUTHORIZATION => Authorization::decode(packed.value.clone()).unwrap().encode_to_vec(),
        other => panic!("{}: a resource of the type {other}", resource.name),
    };
    let version = match resource.version.as_str() {
        "" => Version::None,
        hash if hash == format!("{:x}", xxh64(&packed.value, 0)) => Version::HashOfItsBytes,
        other => Version::Other(other.to_owned()),
    };
    (resource.name.clone(), version, content)
}

impl Told {
    fn hear(&mut self, response: &DeltaDiscoveryResponse) {
        let resources = self.0.entry(response.type_url.clone()).or_default();
        for name in &response.removed_resources {
            resources.remove(name);
        }
        resources.extend(response.resources.iter().map(|resource| (resource.name.clone(), resource.clone())));
    }

    fn knows(&self, response: &DeltaDiscoveryResponse) -> bool {
        let known = |resource: &Resource| {
            self.0.get(&response.type_url).and_then(|of_type| of_type.get(&resource.name)) == Some(resource)
        };
        response.removed_resources.is_empty() && response.resources.iter().all(known)
    }

    fn addresses(&self) -> Vec<Address> {
        self.decoded(ADDRESS)
    }

    fn policies(&self) -> Vec<Authorization> {
        self.decoded(AUTHORIZATION)
    }

    fn decoded<T: Message + Default>(&self, type_url: &str) -> Vec<T> {
        let bytes = |resource: &Resource| resource.resource.as_ref().unwrap().value.clone();
        self.0
            .get(type_url)
            .into_iter()
            .flat_map(BTreeMap::values)
            .map(|it| T::decode(bytes(it)).unwrap())
            .collect()
    }
}
