//! Hostnames looked up at a name server that is there, is not, fails, or says only half.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod name_server;

use std::{fs, sync::Arc, time::Duration};

use evermesh_model::SmolStr;
use evermesh_xds_cache::{client::Answer, names::look_up};
use hickory_resolver::proto::rr::RecordType;
use name_server::{NameServer, Says, in_a_network};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// One name server. Machines that stall for a moment do not make it a silent one.
const PATIENT: &str = "nameserver 127.0.0.1\noptions timeout:10 attempts:1\n";
const HASTY: &str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
/// So often a name server that is silent is asked in one lookup; one that fails is asked once.
const ATTEMPTS: usize = 2;
const RESOLV_CONF: &str = "resolv.conf";
const HOUR: u32 = 3600;
/// How often an answer is asked for again at most.
const SHORTEST: Duration = Duration::from_secs(5);

/// Somebody who looks names up.
struct Asker {
    hostnames: watch::Sender<Arc<[SmolStr]>>,
    answers: mpsc::Receiver<Answer>,
    directory: TempDir,
}

impl Asker {
    fn new(resolv_conf: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(RESOLV_CONF);
        fs::write(&path, resolv_conf).unwrap();
        let (hostnames, asked) = watch::channel(Arc::default());
        let (told, answers) = mpsc::channel(1);
        tokio::spawn(async move { look_up(&path, asked, told).await });
        Self { hostnames, answers, directory }
    }

    fn has_other_name_servers(&self, resolv_conf: &str) {
        fs::write(self.directory.path().join(RESOLV_CONF), resolv_conf).unwrap();
    }

    fn ask(&self, hostnames: &[&str]) {
        self.hostnames.send_replace(hostnames.iter().map(SmolStr::new).collect());
    }

    /// Hostname, addresses, and whether these are all.
    async fn answer(&mut self) -> (String, Vec<String>, bool) {
        let Answer { hostname, addresses, is_whole } = self.answers.recv().await.unwrap();
        (hostname.to_string(), addresses.iter().map(ToString::to_string).collect(), is_whole)
    }

    async fn next_of(&mut self, hostname: &str) -> (String, Vec<String>, bool) {
        loop {
            let answer = self.answer().await;
            if answer.0 == hostname {
                return answer;
            }
        }
    }
}

fn whole(hostname: &str, addresses: &[&str]) -> (String, Vec<String>, bool) {
    (hostname.into(), addresses.iter().map(ToString::to_string).collect(), true)
}

async fn serving() -> NameServer {
    let server = NameServer::default();
    server.serve([127, 0, 0, 1].into()).await;
    server
}

#[test]
fn addresses_of_both_families_are_told_together() {
    in_a_network(|| async {
        let (server, mut asker) = (serving().await, Asker::new(PATIENT));
        server.says_addresses("db.test", HOUR, &["192.0.2.2", "2001:db8::1", "192.0.2.1"]);
        asker.ask(&["db.test"]);
        assert_eq!(asker.answer().await, whole("db.test", &["192.0.2.1", "192.0.2.2", "2001:db8::1"]));
    });
}

#[test]
fn an_answer_that_has_expired_is_asked_for_again_and_not_before() {
    in_a_network(|| async {
        let (server, mut asker) = (serving().await, Asker::new(PATIENT));
        server.says_addresses("db.test", 1, &["192.0.2.1"]);
        asker.ask(&["db.test"]);
        let asked = Instant::now();
        assert_eq!(asker.answer().await, whole("db.test", &["192.0.2.1"]));
        server.says_addresses("db.test", 1, &["192.0.2.2"]);
        assert_eq!(asker.answer().await, whole("db.test", &["192.0.2.2"]));
        assert!(asked.elapsed() >= SHORTEST, "{:?}", asked.elapsed());
    });
}

#[test]
fn name_servers_that_are_named_later_are_asked() {
    in_a_network(|| async {
        let (server, other) = (serving().await, NameServer::default());
        other.says_of_all("db.test", Says::Failure);
        other.serve([127, 0, 0, 2].into()).await;
        server.says_addresses("db.test", HOUR, &["192.0.2.1", "2001:db8::1"]);
        let mut asker = Asker::new("nameserver 127.0.0.2\noptions attempts:1\n");
        asker.ask(&["db.test"]);
        other.is_asked("db.test", 2).await;
        asker.has_other_name_servers(PATIENT);
        assert_eq!(asker.answer().await, whole("db.test", &["192.0.2.1", "2001:db8::1"]));
    });
}

#[test]
fn that_there_is_none_is_an_answer() {
    in_a_network(|| async {
        let (server, mut asker) = (serving().await, Asker::new(PATIENT));
        asker.ask(&["no-such-name.test"]);
        assert_eq!(asker.answer().await, whole("no-such-name.test", &[]));
        server.says_of_all("no-addresses.test", Says::Nothing);
        asker.ask(&["no-addresses.test"]);
        assert_eq!(asker.answer().await, whole("no-addresses.test", &[]));
    });
}

/// Nothing is told until the name server answers, and it is asked for longer than one lookup takes.
fn is_no_answer(says: Says, resolv_conf: &'static str, questions: usize) {
    in_a_network(move || async move {
        let (server, mut asker) = (serving().await, Asker::new(resolv_conf));
        server.says_of_all("db.test", says);
        asker.ask(&["db.test"]);
        server.is_asked("db.test", questions).await;
        server.says_addresses("db.test", HOUR, &["192.0.2.1", "2001:db8::1"]);
        // One of the two questions may have been asked before.
        let mut answer = asker.answer().await;
        while !answer.2 {
            assert_eq!(answer.1.len(), 1);
            answer = asker.answer().await;
        }
        assert_eq!(answer, whole("db.test", &["192.0.2.1", "2001:db8::1"]));
    });
}

#[test]
fn a_failure_is_no_answer() {
    is_no_answer(Says::Failure, PATIENT, 2);
}

#[test]
fn silence_is_no_answer() {
    is_no_answer(Says::Silence, HASTY, ATTEMPTS + 1);
}

#[test]
fn half_an_answer_is_told_as_such_and_the_other_half_is_asked_for_soon() {
    in_a_network(|| async {
        let (server, mut asker) = (serving().await, Asker::new(PATIENT));
        server.says_addresses("db.test", HOUR, &["192.0.2.1", "2001:db8::1"]);
        server.says("db.test", RecordType::AAAA, Says::Failure);
        asker.ask(&["db.test"]);
        assert_eq!(asker.answer().await, ("db.test".into(), vec!["192.0.2.1".into()], false));
        server.says_addresses("db.test", HOUR, &["192.0.2.1", "2001:db8::1"]);
        assert_eq!(asker.answer().await, whole("db.test", &["192.0.2.1", "2001:db8::1"]));
    });
}

#[test]
fn hostnames_come_and_go() {
    in_a_network(|| async {
        let (server, mut asker) = (serving().await, Asker::new(PATIENT));
        server.says_addresses("first.test", 1, &["192.0.2.1"]);
        server.says_addresses("second.test", 1, &["192.0.2.2"]);
        asker.ask(&["first.test"]);
        assert_eq!(asker.answer().await, whole("first.test", &["192.0.2.1"]));
        asker.ask(&["first.test", "second.test"]);
        assert_eq!(asker.next_of("second.test").await, whole("second.test", &["192.0.2.2"]));
        asker.ask(&["second.test"]);
        asker.next_of("second.test").await;
        let before = server.asked("first.test");
        // It would have been the turn of the first one too.
        assert_eq!(asker.answer().await, whole("second.test", &["192.0.2.2"]));
        assert_eq!(server.asked("first.test"), before);
    });
}

#[test]
fn a_hostname_that_nobody_answers_for_delays_no_other() {
    in_a_network(|| async {
        let (server, mut asker) = (serving().await, Asker::new(PATIENT));
        let silent: Vec<_> = (0..20).map(|n| format!("silent-{n}.test")).collect();
        for name in &silent {
            server.says_of_all(name, Says::Silence);
        }
        server.says_addresses("talks.test", HOUR, &["192.0.2.1"]);
        let hostnames: Vec<_> = silent.iter().map(String::as_str).chain(["talks.test"]).collect();
        let asked = Instant::now();
        asker.ask(&hostnames);
        assert_eq!(asker.answer().await, whole("talks.test", &["192.0.2.1"]));
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert_eq!(silent.iter().filter(|name| server.asked(name) > 0).count(), silent.len());
    });
}

#[test]
fn a_name_server_that_says_nothing_is_in_the_way_of_none_that_does() {
    in_a_network(|| async {
        let (server, silent) = (serving().await, NameServer::default());
        silent.says_of_all("db.test", Says::Silence);
        silent.serve([127, 0, 0, 2].into()).await;
        let mut asker = Asker::new(&format!("nameserver 127.0.0.2\n{PATIENT}"));
        server.says_addresses("db.test", HOUR, &["192.0.2.1", "2001:db8::1"]);
        asker.ask(&["db.test"]);
        assert_eq!(asker.answer().await, whole("db.test", &["192.0.2.1", "2001:db8::1"]));
        assert!(silent.asked("db.test") > 0);
    });
}
