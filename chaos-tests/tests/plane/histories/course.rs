//! What may be met at each destination while a mesh changes, and what was.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use evermesh_model::{Algorithm, Place, Protocol, Snapshot};
use evermesh_reference::{
    Answer, answer,
    history::{NODE, destinations},
};

use crate::{agreement::Clients, listeners::Met};

/// What may be met at each destination.
type Expected = BTreeMap<SocketAddr, BTreeSet<Met>>;

fn expected(mesh: &Snapshot, protocol: Protocol, client: IpAddr) -> Expected {
    let place = Place::of_node(NODE, mesh);
    let met = |address, port| -> BTreeSet<Met> {
        match answer(mesh, &place, address, port, protocol) {
            Answer::LeftAlone => [Some((address, port))].into(),
            Answer::Refused => [None].into(),
            Answer::Led { algorithm: Algorithm::Maglev, endpoints } => {
                Clients::of(&endpoints).places(client).into_iter().map(Some).collect()
            }
            Answer::Led { endpoints, .. } => {
                endpoints.iter().map(|one| Some((one.address, one.port))).collect()
            }
        }
    };
    let by_protocol = destinations().filter(|(.., other)| *other == protocol);
    by_protocol.map(|(address, port, _)| (SocketAddr::new(address, port), met(address, port))).collect()
}

/// What was expected after each change, and how many of the changes are done.
pub struct Course {
    protocol: Protocol,
    client: IpAddr,
    states: Mutex<Vec<Expected>>,
    settled: AtomicUsize,
    over: AtomicBool,
    met: AtomicU64,
    strangers: Mutex<Vec<String>>,
}

impl Course {
    /// From nothing, as a client of this address meets it.
    pub fn new(protocol: Protocol, client: IpAddr) -> Self {
        Self {
            protocol,
            client,
            states: Mutex::new(vec![expected(&Snapshot::default(), protocol, client)]),
            settled: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            met: AtomicU64::new(0),
            strangers: Mutex::new(Vec::new()),
        }
    }

    /// From now on either state may be met, from the end of `change` on only the new one. The destinations that differ.
    pub fn change(&self, mesh: &Snapshot, change: impl FnOnce()) -> Vec<SocketAddr> {
        let expected = expected(mesh, self.protocol, self.client);
        let (number, differ) = {
            let mut states = self.states.lock().unwrap();
            let before = &states[states.len() - 1];
            let differ = expected.iter().filter(|(target, met)| before[*target] != **met);
            let differ = differ.map(|(target, _)| *target).collect();
            states.push(expected);
            (states.len() - 1, differ)
        };
        change();
        self.settled.store(number, Ordering::SeqCst);
        differ
    }

    /// Judges what a connect met that may have begun when `from` states were settled.
    fn judge(&self, from: usize, target: SocketAddr, met: Met) {
        let states = self.states.lock().unwrap();
        if !states[from..].iter().any(|expected| expected[&target].contains(&met)) {
            let allowed: Vec<_> = states[from..].iter().map(|expected| &expected[&target]).collect();
            self.strangers.lock().unwrap().push(format!("{target} led to {met:?}, not to {allowed:?}"));
        }
        self.met.fetch_add(1, Ordering::Relaxed);
    }

    /// Between changes.
    pub fn meet(&self, target: SocketAddr, met: Met) {
        self.judge(self.settled.load(Ordering::SeqCst), target, met);
    }

    pub fn meet_all_the_time(&self, ask: impl Fn(SocketAddr) -> Met) {
        for &target in self.targets().iter().cycle() {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            let from = self.settled.load(Ordering::SeqCst);
            self.judge(from, target, ask(target));
        }
    }

    /// Waits until whoever connects all the time has been everywhere.
    pub fn await_a_round(&self) {
        let enough = self.met() + 2 * self.targets().len() as u64;
        while self.met() < enough {
            thread::yield_now();
        }
    }

    pub fn targets(&self) -> Vec<SocketAddr> {
        self.states.lock().unwrap()[0].keys().copied().collect()
    }

    /// Nobody connects any more when the caller is done, or panics.
    pub fn ends_here(&self) -> Ending<'_> {
        Ending(&self.over)
    }

    pub fn met(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    pub fn is_clean(&self) -> bool {
        self.strangers.lock().unwrap().is_empty()
    }

    pub fn strangers(&self) -> Vec<String> {
        self.strangers.lock().unwrap().clone()
    }
}

/// Where a course is over.
pub struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
