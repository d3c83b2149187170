//! A name server that says what it is told to say, or nothing, at port 53 of a network of its own.

use std::{
    collections::BTreeMap,
    future::Future,
    net::{IpAddr, Ipv4Addr},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Message, MessageType, Query, ResponseCode},
    rr::{RData, Record, RecordType},
};
use nix::sched::{CloneFlags, unshare};
use tokio::{net::UdpSocket, sync::watch, time::timeout};

const PORT: u16 = 53;
/// No test takes as long.
const LONGEST: Duration = Duration::from_secs(30);

/// What is said of a name and type. Of those that are not listed it is said that there are none such.
#[derive(Clone, Debug)]
pub enum Says {
    Addresses {
        ttl: u32,
        addresses: Vec<IpAddr>,
    },
    /// There is such a name, without such addresses.
    Nothing,
    Failure,
    Silence,
}

/// What there is, by name and type.
type Zone = BTreeMap<(String, RecordType), Says>;
/// How often each was asked for.
type Questions = BTreeMap<(String, RecordType), usize>;

/// The one that serves may be told something else at any time.
#[derive(Clone, Debug, Default)]
pub struct NameServer {
    zone: Arc<Mutex<Zone>>,
    questions: watch::Sender<Questions>,
}

impl NameServer {
    /// Serves at an address, until the runtime ends.
    pub async fn serve(&self, address: Ipv4Addr) {
        let socket = UdpSocket::bind((address, PORT)).await.unwrap();
        let server = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                let question = Message::from_vec(&buffer[..length]).unwrap();
                if let Some(answer) = server.answer(&question) {
                    socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
    }

    pub fn says(&self, name: &str, kind: RecordType, says: Says) {
        self.zone.lock().unwrap().insert((name.into(), kind), says);
    }

    pub fn says_addresses(&self, name: &str, ttl: u32, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let (v4, v6) = addresses.into_iter().partition(IpAddr::is_ipv4);
        self.says(name, RecordType::A, Says::Addresses { ttl, addresses: v4 });
        self.says(name, RecordType::AAAA, Says::Addresses { ttl, addresses: v6 });
    }

    /// Of both families.
    pub fn says_of_all(&self, name: &str, says: Says) {
        self.says(name, RecordType::A, says.clone());
        self.says(name, RecordType::AAAA, says);
    }

    /// How often the IPv4 addresses of a name were asked for.
    pub fn asked(&self, name: &str) -> usize {
        asked(&self.questions.borrow(), name)
    }

    /// Returns when they have been asked for that often.
    pub async fn is_asked(&self, name: &str, times: usize) {
        let mut questions = self.questions.subscribe();
        questions.wait_for(|questions| asked(questions, name) >= times).await.unwrap();
    }

    fn answer(&self, question: &Message) -> Option<Message> {
        let query = question.queries().first()?.clone();
        let name = query.name().to_string().trim_end_matches('.').to_owned();
        let key = (name, query.query_type());
        let says = self.zone.lock().unwrap().get(&key).cloned();
        self.questions.send_modify(|questions| *questions.entry(key).or_default() += 1);
        let (code, records) = match says {
            Some(Says::Silence) => return None,
            Some(Says::Failure) => (ResponseCode::ServFail, vec![]),
            Some(Says::Nothing) => (ResponseCode::NoError, vec![]),
            Some(Says::Addresses { ttl, addresses }) => {
                (ResponseCode::NoError, records(&query, ttl, addresses))
            }
            None => (ResponseCode::NXDomain, vec![]),
        };
        let mut answer = Message::new();
        answer.set_id(question.id()).set_message_type(MessageType::Response).set_response_code(code);
        answer.set_recursion_desired(true).set_recursion_available(true);
        answer.add_query(query).add_answers(records);
        Some(answer)
    }
}

fn asked(questions: &Questions, name: &str) -> usize {
    questions.get(&(name.into(), RecordType::A)).copied().unwrap_or_default()
}

fn records(query: &Query, ttl: u32, addresses: Vec<IpAddr>) -> Vec<Record> {
    let record = |address| Record::from_rdata(query.name().clone(), ttl, RData::from(address));
    addresses.into_iter().map(record).collect()
}

/// Runs a test in a network of its own, which is gone with its thread. Needs root.
pub fn in_a_network<F: Future>(test: impl FnOnce() -> F + Send) {
    let run = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace: run the tests as root");
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap();
        assert!(up.success());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { timeout(LONGEST, test()).await.expect("it takes too long") });
    };
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap();
}
