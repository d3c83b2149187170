//! What stands in the maps, against what the sockets' books say.

use std::{collections::HashMap, net::IpAddr, os::fd::AsFd};

use evermesh_abi::Address;
use evermesh_pins::{Table, sys::RawMap};

use crate::{
    layout::Release,
    node::{Maps, backend, frontend},
    sockets::{Books, expected},
};

/// The entries of both maps, in the layouts of before.
#[derive(PartialEq, Eq)]
pub struct Contents {
    origins: Entries,
    udp_origins: Entries,
}

/// Values by their keys, as bytes.
pub type Entries = HashMap<Vec<u8>, Vec<u8>>;

impl Contents {
    /// Of maps in the layouts of before.
    pub fn before(maps: &Maps) -> Self {
        Self::read(|table| entries(maps, table))
    }

    /// Of maps in the layouts of this release.
    pub fn of(maps: &Maps, release: &Release) -> Self {
        Self::read(|table| {
            let back = release.back(table);
            let (key, value) = if table == Table::Origins { (8, 96) } else { (32, 96) };
            let translate = |(there, said): (Vec<u8>, Vec<u8>)| {
                let (mut key, mut value) = (vec![0; key], vec![0; value]);
                back.key(&there, &mut key);
                back.value(&said, &mut value);
                (key, value)
            };
            entries(maps, table).into_iter().map(translate).collect()
        })
    }

    fn read(entries: impl Fn(Table) -> Entries) -> Self {
        Self { origins: entries(Table::Origins), udp_origins: entries(Table::UdpOrigins) }
    }

    pub fn is_empty(&self) -> bool {
        self.origins.is_empty() && self.udp_origins.is_empty()
    }
}

pub fn entries(maps: &Maps, table: Table) -> Entries {
    let (map, mut entries) = (maps.open(table), HashMap::new());
    let see = |key: &[u8], value: &[u8]| {
        entries.insert(key.to_vec(), value.to_vec());
        Ok(())
    };
    RawMap::new(map.as_fd()).unwrap().for_each(see).unwrap();
    entries
}

/// What does not agree with the books.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub lost: usize,
    pub resurrected: usize,
    pub stale: usize,
}

impl Found {
    pub fn of(contents: &Contents, books: &[Books]) -> Self {
        let (mut origins, mut pairs) = expected(books);
        let mut found = Self::default();
        for (socket, origin) in &contents.origins {
            match origins.remove(&u64_at(socket, 0)) {
                Some(taken) => found.stale += usize::from(taken != u64_at(origin, 48)),
                None => found.resurrected += 1,
            }
        }
        for (key, pair) in &contents.udp_origins {
            match pairs.remove(&(u64_at(key, 0), key[26], number(key))) {
                Some(service) => found.stale += usize::from(!is_pair_of(pair, service)),
                None => found.resurrected += 1,
            }
        }
        found.lost = origins.len() + pairs.len();
        found
    }

    pub fn assert_nothing(self, when: &str) {
        assert_eq!(self, Self::default(), "{when}");
    }
}

/// The service of a pair's key, or its place in the ring.
fn number(key: &[u8]) -> u16 {
    const INDEX: u8 = 3;
    if key[26] == INDEX {
        u16::from_le_bytes([key[8], key[9]])
    } else {
        u16::from_be_bytes([key[22], key[23]])
    }
}

fn is_pair_of(pair: &[u8], service: u16) -> bool {
    let is = |at: usize, ip| pair[at..at + 16] == Address::from(IpAddr::V4(ip)).octets();
    is(8, frontend(service)) && is(24, backend(service))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}
