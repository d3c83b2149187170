//! Keys and values of the store.
//!
//! | key | value |
//! |---|---|
//! | `a` and a name | a service or workload: the resource as it came |
//! | `p` and a name | a policy: the resource as it came |
//! | `n` and a hostname | its addresses, as a list in JSON |
//! | `mwhole` | the kinds that are known completely, a byte each |
//! | `msynced` | when that was last known to be what the control plane says: milliseconds since 1970, little-endian |

use std::net::IpAddr;

use bytes::Bytes;
use evermesh_proto::discovery::Resource;
use prost::Message as _;

use crate::{Conversion, Heard, Kind, Name, Whole};

const ANSWER: u8 = b'n';
const WHOLE: &[u8] = b"mwhole";
const SYNCED: &[u8] = b"msynced";

/// A change of the store.
pub(super) type Change = (Vec<u8>, Option<Vec<u8>>);

/// A part of what a store holds.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub heard: Vec<Heard>,
    pub answers: Vec<(String, Vec<IpAddr>)>,
    pub whole: Option<Whole>,
    pub synced_unix_ms: Option<u64>,
    pub unreadable: usize,
}

pub(super) fn resource(name: &Name, resource: Option<&Resource>) -> Change {
    (key_of(name), resource.map(|resource| resource.encode_to_vec()))
}

/// The key of a resource.
pub(super) fn key_of(name: &Name) -> Vec<u8> {
    key(prefix(name.kind), &name.name)
}

pub(super) fn answer(hostname: &str, addresses: &[IpAddr]) -> Change {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    (key(ANSWER, hostname), Some(serde_json::Value::from(addresses).to_string().into_bytes()))
}

pub(super) fn whole(whole: Whole) -> Change {
    (WHOLE.to_vec(), Some(Kind::ALL.map(|kind| u8::from(whole.contains(kind))).to_vec()))
}

pub(super) fn synced(unix_ms: u64) -> Change {
    (SYNCED.to_vec(), Some(unix_ms.to_le_bytes().to_vec()))
}

/// Sorts what a store holds. An answer to a question that nobody asks any more is of no harm.
pub(super) fn read(entries: impl Iterator<Item = (Bytes, Bytes)>, conversion: &Conversion) -> Stored {
    let mut stored = Stored::default();
    for (key, value) in entries {
        if take(&mut stored, &key, value, conversion).is_none() {
            stored.unreadable += 1;
        }
    }
    stored
}

fn take(stored: &mut Stored, key: &[u8], value: Bytes, conversion: &Conversion) -> Option<()> {
    match key {
        WHOLE => {
            let whole = stored.whole.insert(Whole::default());
            let kinds = Kind::ALL.into_iter().zip(&value).filter(|(_, known)| **known == 1);
            kinds.for_each(|(kind, _)| whole.insert(kind));
        }
        SYNCED => stored.synced_unix_ms = Some(u64::from_le_bytes(value.as_ref().try_into().ok()?)),
        [ANSWER, name @ ..] => {
            let texts: Vec<String> = serde_json::from_slice(&value).ok()?;
            let addresses = texts.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
            stored.answers.push((String::from_utf8(name.to_vec()).ok()?, addresses));
        }
        [first, ..] => {
            let kind = Kind::ALL.into_iter().find(|kind| prefix(*kind) == *first)?;
            let resource = Resource::decode(value).ok()?;
            stored.heard.push(Heard::new(conversion, kind, &resource));
        }
        [] => return None,
    }
    Some(())
}

fn prefix(kind: Kind) -> u8 {
    match kind {
        Kind::Address => b'a',
        Kind::Authorization => b'p',
    }
}

fn key(prefix: u8, name: &str) -> Vec<u8> {
    [&[prefix], name.as_bytes()].concat()
}
