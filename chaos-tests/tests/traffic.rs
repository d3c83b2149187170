//! The clients and the oracle see what goes wrong between a client and a server, with nothing in between.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
    thread::sleep,
    time::Duration,
};

use evermesh_chaos_tests::{
    client::{ClientProcess, ClientSpec, Expectation, Kind, Target},
    clock::now_ns,
    oracle::{Event, Oracle, Report, Rules, Timeline, Verdict, Void},
    pod::{Node, Pod},
    sandbox::Sandbox,
    server::{Ports, ServerProcess},
};
use nix::sys::signal::Signal;

const GREETING: u16 = 7000;
const STREAM: u16 = 7001;
const UDP: u16 = 7002;
const KINDS: [(Kind, u16); 6] = [
    (Kind::Greeting, GREETING),
    (Kind::Stream, STREAM),
    (Kind::Udp, UDP),
    (Kind::UdpKept, UDP),
    (Kind::UdpConnected, UDP),
    (Kind::UdpConnectedKept, UDP),
];
/// Long enough for the clients to make hundreds of attempts on a busy machine.
const SPELL: Duration = Duration::from_millis(300);

struct Scene {
    server_pod: Pod,
    client_pod: Pod,
    server: Option<ServerProcess>,
    /// Last: everything else is in it.
    _sandbox: Sandbox,
}

impl Scene {
    fn new(ports: Ports) -> Self {
        let sandbox = Sandbox::new().unwrap();
        let node = Node::new(&sandbox).unwrap();
        let (server_pod, client_pod) = (node.pod("server").unwrap(), node.pod("client").unwrap());
        let server = Some(ServerProcess::start(&server_pod, &ports).unwrap());
        Self { server_pod, client_pod, server, _sandbox: sandbox }
    }

    fn usual() -> Self {
        Self::new(Ports {
            greeting: vec![GREETING],
            stream: vec![STREAM],
            udp: vec![UDP],
            ..Ports::default()
        })
    }

    /// IPv4, IPv6 and v4-mapped.
    fn targets(&self, port: u16, expected: &Expectation) -> Vec<Target> {
        let v4 = self.server_pod.ipv4();
        let all: [IpAddr; 3] = [v4.into(), self.server_pod.ipv6().into(), v4.to_ipv6_mapped().into()];
        all.map(|ip| Target { address: SocketAddr::new(ip, port), expected: expected.clone() }).to_vec()
    }

    fn client(&self, kind: Kind, port: u16, expected: Expectation) -> ClientProcess {
        let what = format!("client-{kind:?}-{port}");
        let spec =
            ClientSpec { kind, targets: self.targets(port, &expected), at_most: Duration::from_secs(20) };
        ClientProcess::start(&self.client_pod, &what, &spec).unwrap()
    }

    /// Clients of all kinds that want an answer of `names`.
    fn clients(&self, names: &[&str]) -> Vec<ClientProcess> {
        let expected = Expectation::Answer(names.iter().map(|name| name.parse().unwrap()).collect());
        KINDS.iter().map(|&(kind, port)| self.client(kind, port, expected.clone())).collect()
    }

    /// Does `what` for a spell, and tells when.
    fn event(&self, what: &str, act: impl FnOnce()) -> Event {
        Event::during(what, || {
            act();
            sleep(SPELL);
        })
    }

    fn signal(&self, signal: Signal) {
        self.server.as_ref().unwrap().process().signal(signal).unwrap();
    }

    fn judge(&self, clients: Vec<ClientProcess>, events: Vec<Event>) -> Report {
        let mut oracle = Oracle::new(Timeline::new(events).unwrap(), Rules::default());
        for client in clients {
            let name = client.what().to_owned();
            oracle.recording(&name, &client.stop().unwrap()).unwrap();
        }
        oracle.listen_overflows("server", 0, self.server_pod.listen_overflows().unwrap());
        oracle.finish()
    }
}

#[test]
fn quiet_traffic_is_clean() {
    let scene = Scene::usual();
    let clients = scene.clients(&["server"]);
    let quiet = scene.event("nothing", || {});
    let report = scene.judge(clients, vec![quiet]);
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    assert!(report.attempts > 1000, "{report}");
}

#[test]
fn http_is_served() {
    let scene = Scene::new(Ports { http: vec![80], ..Ports::default() });
    for ip in scene.server_pod.addresses() {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "5", &format!("http://{}/", SocketAddr::new(ip, 80))]);
        assert_eq!(scene.client_pod.run(curl).unwrap(), "server\n");
        assert_eq!(scene.client_pod.fetch(SocketAddr::new(ip, 80)).unwrap(), "server\n");
    }
}

#[test]
fn a_server_that_goes_away_is_counted_by_every_kind() {
    let mut scene = Scene::usual();
    let clients = scene.clients(&["server"]);
    let server = scene.server.take();
    let killed = scene.event("server killed", || drop(server));
    let report = scene.judge(clients, vec![killed]);
    assert_eq!(report.verdict(), Verdict::Failed, "{report}");
    for (kind, _) in KINDS {
        let prefix = format!("{kind:?} ");
        assert!(report.failures.keys().any(|failure| failure.starts_with(&prefix)), "{kind:?}: {report}");
    }
    assert!(report.events[0].failures > 0);
}

#[test]
fn a_wrong_server_is_named() {
    let scene = Scene::usual();
    let clients = scene.clients(&["another"]);
    let quiet = scene.event("nothing", || {});
    let report = scene.judge(clients, vec![quiet]);
    assert_eq!(report.verdict(), Verdict::Failed);
    assert!(report.failures.contains_key("Udp wrong server server"), "{report}");
    assert_eq!(report.failed(), report.failures_with("wrong server server"), "nothing else: {report}");
}

#[test]
fn a_pause_of_50_ms_is_visible() {
    let scene = Scene::usual();
    let clients = scene.clients(&["server"]);
    sleep(SPELL);
    let start_ns = now_ns();
    scene.signal(Signal::SIGSTOP);
    sleep(Duration::from_millis(50));
    scene.signal(Signal::SIGCONT);
    let paused = Event { kind: "server paused".into(), start_ns, end_ns: now_ns() };
    let after = scene.event("nothing", || {});
    let report = scene.judge(clients, vec![paused, after]);
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    // Signals take effect a moment after the call.
    let stall = report.kinds["server paused"].longest_stall;
    assert!((45..500).contains(&stall.as_millis()), "{stall:?}");
    assert!(report.longest_stall.duration >= stall);
}

#[test]
fn an_overflowing_accept_queue_voids_the_run() {
    let scene = Scene::new(Ports { greeting: vec![GREETING], backlog: 1, ..Ports::default() });
    scene.signal(Signal::SIGSTOP);
    let expected = Expectation::Answer(vec!["server".parse().unwrap()]);
    let many = |n: u16| {
        let spec = ClientSpec {
            kind: Kind::Greeting,
            targets: scene.targets(GREETING, &expected),
            at_most: Duration::from_secs(1),
        };
        ClientProcess::start(&scene.client_pod, &format!("client-{n}"), &spec).unwrap()
    };
    let clients = (0..6).map(many).collect();
    let jam = scene.event("jam", || sleep(SPELL));
    scene.signal(Signal::SIGCONT);
    let report = scene.judge(clients, vec![jam]);
    assert_eq!(report.verdict(), Verdict::Void, "{report}");
    assert!(report.void.iter().any(|v| matches!(v, Void::ListenOverflows { .. })), "{report}");
}

#[test]
fn refusal_is_expected_only_where_it_is_expected() {
    let scene = Scene::usual();
    let refused = |port| (Kind::Greeting, port, Expectation::Refused);
    let (kind, port, expected) = refused(9);
    let nobody = scene.client(kind, port, expected);
    let quiet = scene.event("nothing", || {});
    let report = scene.judge(vec![nobody], vec![quiet]);
    assert_eq!(report.verdict(), Verdict::Clean, "{report}");
    let leak = KINDS.map(|(kind, port)| scene.client(kind, port, Expectation::Refused));
    let quiet = scene.event("nothing", || {});
    let report = scene.judge(leak.into(), vec![quiet]);
    assert_eq!(report.failed(), report.failures_with("not refused"), "{report}");
    assert_eq!(report.failed(), report.attempts);
}

#[test]
fn a_client_that_is_killed_voids_the_run() {
    let scene = Scene::usual();
    let clients = scene.clients(&["server"]);
    clients[0].process().signal(Signal::SIGKILL).unwrap();
    let quiet = scene.event("nothing", || {});
    let report = scene.judge(clients, vec![quiet]);
    assert_eq!(report.void, [Void::ClientDied { client: "client-Greeting-7000".into() }], "{report}");
}

#[test]
fn a_trap_meets_whoever_is_not_translated() {
    let sandbox = Sandbox::new().unwrap();
    let node = Node::new(&sandbox).unwrap();
    let (trap, client) = (node.pod("trap").unwrap(), node.pod("client").unwrap());
    node.trap(&trap, "10.96.0.0/16", "fd00:96::/64").unwrap();
    let ports = Ports { greeting: vec![80], udp: vec![53], ..Ports::default() };
    let _server = ServerProcess::start(&trap, &ports).unwrap();
    for (kind, target) in [
        (Kind::Greeting, "10.96.0.7:80"),
        (Kind::Greeting, "[fd00:96::7]:80"),
        (Kind::Udp, "10.96.0.7:53"),
        (Kind::Udp, "[fd00:96::7]:53"),
    ] {
        let targets = vec![target.parse().unwrap()];
        let spec = ClientSpec { kind, targets, at_most: Duration::from_secs(20) };
        let client = ClientProcess::start(&client, &format!("client-{kind:?}-{target}"), &spec).unwrap();
        sleep(SPELL);
        let mut oracle = Oracle::new(Timeline::default(), Rules::default());
        oracle.recording("client", &client.stop().unwrap()).unwrap();
        let report = oracle.finish();
        assert_eq!(report.failed(), report.attempts, "{target}: {report}");
        assert!(report.failures_with("not refused") > 0, "{target}: {report}");
    }
}
