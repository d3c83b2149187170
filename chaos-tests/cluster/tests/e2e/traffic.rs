//! Clients in pods on every node, without pauses, and the oracle's word on what they recorded.

use std::{fs, path::PathBuf};

use clap::ValueEnum as _;
use evermesh_chaos_tests::{
    client::{Expectation, Kind, Target},
    oracle::{Event, Oracle, Report, Rules, Timeline},
    wait,
};
use evermesh_cluster::Cluster;

use crate::scene::{self, PATIENCE, Pod};

/// At once over TCP and UDP, and connections that stay.
const ANSWER: u16 = 7;
const STREAM: u16 = 8;
/// By a socket of IPv4, and by one of IPv6.
const WEB: [&str; 2] = ["10.96.0.10", "[::ffff:10.96.0.10]"];
const NOBODY: &str = "10.96.0.20";

const KINDS: [Kind; 4] = [Kind::Greeting, Kind::Stream, Kind::Udp, Kind::UdpConnectedKept];

/// Pods full of clients, one on each node. They make attempts from `start` to `stop`.
pub struct Clients<'a> {
    cluster: &'a Cluster,
    pub pods: Vec<Pod>,
}

impl<'a> Clients<'a> {
    /// Lets them run, idle at first. Any of `servers` may answer.
    pub fn new(cluster: &'a Cluster, servers: &[Pod]) -> Self {
        let names: Vec<String> = servers.iter().map(|pod| format!("web-node{}", pod.node)).collect();
        let expected = Expectation::Answer(names.iter().map(|name| name.parse().unwrap()).collect());
        let containers = KINDS.iter().map(|&kind| container(kind, &expected));
        scene::apply(
            cluster,
            &(include_str!("manifests/clients.yaml").to_owned() + &containers.collect::<String>()),
        );
        scene::await_rollout(cluster, "daemonset/client");
        Self { cluster, pods: scene::pods(cluster, "app=client") }
    }

    /// Gives the word to begin, and waits until every client has.
    pub fn start(&self) {
        self.say("start");
        self.await_files("to begin", |kind| format!("{kind}.attempts"));
    }

    /// Gives the word to stop, and waits until every client has finished its recording.
    pub fn stop(&self) {
        self.say("stop");
        self.await_files("to finish", |kind| format!("{kind}.done"));
    }

    /// What the oracle says about the clients on these nodes.
    pub fn judge(&self, nodes: &[usize], events: &[Event]) -> Report {
        let mut oracle = Oracle::new(Timeline::new(events.to_vec()).unwrap(), Rules::default());
        for &node in nodes {
            for kind in KINDS.map(name) {
                let recording = self.records(node).join(format!("{kind}.attempts"));
                oracle.recording(&format!("node{node} {kind}"), &recording).unwrap();
            }
        }
        oracle.finish()
    }

    fn say(&self, word: &str) {
        for pod in &self.pods {
            fs::write(self.records(pod.node).join(word), "").unwrap();
        }
    }

    fn await_files(&self, what: &str, file: impl Fn(String) -> String) {
        for pod in &self.pods {
            for kind in KINDS.map(name) {
                let path = self.records(pod.node).join(file(kind.clone()));
                let client = format!("the client {kind} on node {} {what}", pod.node);
                wait::until(&client, PATIENCE, || path.exists().then_some(())).unwrap();
            }
        }
    }

    fn records(&self, node: usize) -> PathBuf {
        self.cluster.nodes()[node - 1].path("/var/lib/records".as_ref())
    }
}

fn container(kind: Kind, expected: &Expectation) -> String {
    let targets: Vec<String> =
        targets(kind, expected).iter().map(|target| format!("--target={target}")).collect();
    let script = include_str!("manifests/client.sh").replace("KIND", &name(kind));
    let script = script.replace("TARGETS", &targets.join(" "));
    include_str!("manifests/container.yaml")
        .replace("KIND", &name(kind))
        .replace("SCRIPT", &serde_json::to_string(&script).unwrap())
}

/// A service that nobody stands behind refuses, where a socket can tell.
fn targets(kind: Kind, expected: &Expectation) -> Vec<Target> {
    let port = if kind == Kind::Stream { STREAM } else { ANSWER };
    let target = |address: String, expected| Target { address: address.parse().unwrap(), expected };
    let web = WEB.map(|ip| target(format!("{ip}:{port}"), expected.clone()));
    let nobody = (kind == Kind::Greeting).then(|| target(format!("{NOBODY}:{ANSWER}"), Expectation::Refused));
    web.into_iter().chain(nobody).collect()
}

/// As the command line has it.
fn name(kind: Kind) -> String {
    kind.to_possible_value().unwrap().get_name().to_owned()
}
