//! Sockets that ask services, and what is known of them: the second bookkeeper.

use std::{
    collections::{HashMap, VecDeque},
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
};

use evermesh_abi::UDP_ORIGINS_PER_SOCKET;
use rustix::net::sockopt::socket_cookie;

use crate::node::{PORT, SERVICES, frontend};

/// How many services one socket is remembered for.
const REMEMBERED: u16 = 1024;
const _: () = assert!(REMEMBERED as u64 == UDP_ORIGINS_PER_SOCKET);

/// One unconnected UDP socket and which services it asked, the latest last.
pub struct Asking {
    socket: UdpSocket,
    pub cookie: u64,
    pub taken: u64,
    pub asked: VecDeque<u16>,
}

impl Asking {
    pub fn new() -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let cookie = socket_cookie(&socket).unwrap();
        Self { socket, cookie, taken: 0, asked: VecDeque::new() }
    }

    /// Asks the next services; of those that it has asked before none is remembered any more.
    pub fn ask(&mut self, services: u16) {
        for _ in 0..services {
            let next = self.asked.back().map_or(0, |last| (last + 1) % SERVICES);
            // There is no way to the endpoint; the programs have written by then.
            let _unreachable = self.socket.send_to(b"?", (frontend(next), PORT));
            self.asked.push_back(next);
            if self.asked.len() > usize::from(REMEMBERED) {
                self.asked.pop_front();
            }
            self.taken += 1;
        }
    }
}

/// What a thread has made and kept, and how much of it.
#[derive(Default)]
pub struct Books {
    pub open: Vec<Asking>,
    filled: usize,
    pub updates: u64,
    pub deletions: u64,
}

impl Books {
    /// So many sockets that have asked as many services as are remembered.
    pub fn fill(&mut self, sockets: usize) {
        for _ in 0..sockets {
            let mut socket = Asking::new();
            socket.ask(REMEMBERED);
            self.open.push(socket);
            self.filled += 1;
        }
    }

    /// New sockets, closed ones, and old ones whose oldest pairs make room, until told to stop. Those that were filled stay.
    pub fn churn(&mut self, stop: &AtomicBool) {
        const SHORT: u16 = 16;
        const KEPT: usize = 40;
        let mut turn = 0usize;
        while !stop.load(Ordering::Relaxed) {
            let mut short = Asking::new();
            short.ask(SHORT);
            self.updates += u64::from(SHORT) * 4;
            self.open.push(short);
            if self.open.len() > self.filled + KEPT {
                let closed = self.open.swap_remove(self.filled + turn * 7 % KEPT);
                self.deletions += closed.asked.len() as u64 * 3 + 1;
            }
            let at = turn * 13 % self.open.len().max(1);
            if let Some(old) = self.open.get_mut(at) {
                let full = old.asked.len() == usize::from(REMEMBERED);
                old.ask(8);
                self.updates += 8 * 4;
                self.deletions += if full { 8 * 3 } else { 0 };
            }
            turn += 1;
        }
    }
}

/// Socket -> places taken.
type Taken = HashMap<u64, u64>;
/// (socket, kind of the key, service or place) -> service.
type Pairs = HashMap<(u64, u8, u16), u16>;

/// What stands in the maps after this.
pub fn expected(books: &[Books]) -> (Taken, Pairs) {
    let (mut origins, mut pairs) = (HashMap::new(), HashMap::new());
    for socket in books.iter().flat_map(|books| &books.open) {
        origins.insert(socket.cookie, socket.taken);
        let first = socket.taken - socket.asked.len() as u64;
        for (place, &service) in (first..).zip(&socket.asked) {
            let place = (place % UDP_ORIGINS_PER_SOCKET) as u16;
            pairs.insert((socket.cookie, 1, service), service);
            pairs.insert((socket.cookie, 2, service), service);
            pairs.insert((socket.cookie, 3, place), service);
        }
    }
    (origins, pairs)
}
