//! What the kernel programs read from the tables.

use std::{collections::BTreeMap, net::IpAddr};

use evermesh_abi::{
    ALGORITHM_NONE, Address, Endpoint, FrontendKey, FrontendValue, PROTOCOL_TCP, PROTOCOL_UDP, ServiceWord,
};
use evermesh_loader::tables::TableRead;
use evermesh_model::Protocol;

/// The tables at one moment.
pub struct Kernel<'a> {
    tables: &'a dyn TableRead,
    frontends: Vec<(FrontendKey, FrontendValue)>,
}

/// What becomes of a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flow {
    LeftAlone,
    Refused,
    /// It takes one of these slots.
    Balanced(ServiceWord),
}

impl<'a> Kernel<'a> {
    pub fn new(tables: &'a dyn TableRead) -> Self {
        let mut frontends = tables.frontends();
        frontends.sort_unstable_by_key(|(key, _)| *key);
        Self { tables, frontends }
    }

    pub fn flow(&self, address: IpAddr, port: u16, protocol: Protocol) -> Flow {
        let number = match protocol {
            Protocol::Tcp => PROTOCOL_TCP,
            Protocol::Udp => PROTOCOL_UDP,
        };
        let address = Address::from(address);
        match self.look_up(&FrontendKey::new(address, port.to_be(), number)) {
            Some(value) => self.balanced(value.service()),
            None if self.look_up(&FrontendKey::known_address(address)).is_some() => Flow::Refused,
            None => Flow::LeftAlone,
        }
    }

    fn balanced(&self, service: u32) -> Flow {
        let word = self.tables.service(service).unwrap_or_default();
        match (word.count(), word.algorithm()) {
            (0, ALGORITHM_NONE) => Flow::LeftAlone,
            (0, _) => Flow::Refused,
            _ => Flow::Balanced(word),
        }
    }

    fn look_up(&self, key: &FrontendKey) -> Option<FrontendValue> {
        let at = self.frontends.binary_search_by_key(key, |(key, _)| *key).ok()?;
        Some(self.frontends[at].1).filter(|value| value.belongs_to(key))
    }

    /// Who has how many of the slots; `None`: one of them is a hole.
    pub fn slots(&self, word: ServiceWord) -> Option<BTreeMap<(IpAddr, u16), u128>> {
        let mut by_id: Vec<(u64, u128)> = Vec::new();
        for index in 0..word.count() {
            let id = self.tables.slot(word.offset() + index)?;
            match by_id.iter_mut().find(|(known, _)| *known == id) {
                Some((_, count)) => *count += 1,
                None => by_id.push((id, 1)),
            }
        }
        let mut slots = BTreeMap::new();
        for (id, count) in by_id {
            *slots.entry(self.place(id)?).or_default() += count;
        }
        Some(slots)
    }

    /// Whom the client of this address is led to.
    pub fn pick(&self, word: ServiceWord, client: IpAddr) -> Option<(IpAddr, u16)> {
        let index = Address::from(client).client_hash() % u64::from(word.count());
        self.place(self.tables.slot(word.offset() + u32::try_from(index).unwrap())?)
    }

    fn place(&self, id: u64) -> Option<(IpAddr, u16)> {
        let record: Endpoint = self.tables.endpoint(u32::try_from(id).ok()?)?;
        (record.port != 0).then(|| (record.address.into(), u16::from_be(record.port)))
    }
}
