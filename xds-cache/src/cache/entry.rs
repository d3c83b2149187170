//! Keys and values of the database.
//!
//! | key | value |
//! |---|---|
//! | `a` and a name | a service or workload: the resource as it came |
//! | `p` and a name | a policy: the resource as it came |
//! | `n` and a hostname | its addresses, as a list in JSON |
//! | `mwhole` | the kinds that are known completely, a byte each: 1, or 2 where traffic obeys something newer by now |
//! | `mconversion` | how the agent converts it: `w` or `r` (warn or refuse), then the name of its network |
//! | `msynced` | when that was last known to be what the control plane says: milliseconds since 1970, little-endian |

use std::{net::IpAddr, sync::Arc};

use bytes::Bytes;
use evermesh_model::Names;
use evermesh_proto::discovery::Resource;
use prost::Message as _;

use crate::{Conversion, Heard, Kind, Known, Name, OnUnsupported, Whole};

const ANSWER: u8 = b'n';
const WHOLE: &[u8] = b"mwhole";
const CONVERSION: &[u8] = b"mconversion";
const SYNCED: &[u8] = b"msynced";
const COMPLETE: u8 = 1;
const OUTDATED: u8 = 2;
const WARN: u8 = b'w';
const REFUSE: u8 = b'r';

/// A change of the database: what an entry says from now on, or nothing, where it goes.
pub(super) type Change = (Vec<u8>, Option<Value>);

/// What an entry says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Bytes(Vec<u8>),
    /// A mesh may hold a hundred thousand: they are put into bytes when they are written.
    Resource(Name, Arc<Known>),
}

impl Value {
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Resource(name, known) => known.resource(&name).encode_to_vec(),
        }
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// A part of what a database holds.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub heard: Vec<Heard>,
    pub answers: Vec<(String, Vec<IpAddr>)>,
    pub whole: Option<Whole>,
    pub outdated: bool,
    pub conversion: Option<Conversion>,
    pub synced_unix_ms: Option<u64>,
    pub unreadable: usize,
}

pub(super) fn resource(name: &Name, known: Option<Arc<Known>>) -> Change {
    (key(prefix(name.kind), &name.name), known.map(|known| Value::Resource(name.clone(), known)))
}

pub(super) fn answer(hostname: &str, addresses: &[IpAddr]) -> Change {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    (key(ANSWER, hostname), Some(serde_json::Value::from(addresses).to_string().into_bytes().into()))
}

pub(super) fn whole(whole: Whole) -> Change {
    completeness(whole, COMPLETE)
}

/// That these kinds were known completely, and are not what they were.
pub(super) fn outdated(whole: Whole) -> Change {
    completeness(whole, OUTDATED)
}

fn completeness(whole: Whole, known: u8) -> Change {
    let of_kind = |kind| if whole.contains(kind) { known } else { 0 };
    (WHOLE.to_vec(), Some(Kind::ALL.map(of_kind).to_vec().into()))
}

pub(super) fn conversion(Conversion { network, on_unsupported }: &Conversion) -> Change {
    let on_unsupported = match on_unsupported {
        OnUnsupported::Warn => WARN,
        OnUnsupported::Refuse => REFUSE,
    };
    (CONVERSION.to_vec(), Some([&[on_unsupported], network.as_bytes()].concat().into()))
}

pub(super) fn synced(unix_ms: u64) -> Change {
    (SYNCED.to_vec(), Some(unix_ms.to_le_bytes().to_vec().into()))
}

/// Sorts what a database holds. An answer to a question that nobody asks any more is of no harm.
pub(super) fn read(
    entries: impl Iterator<Item = (Bytes, Bytes)>,
    conversion: &Conversion,
    names: &mut Names,
) -> Stored {
    let mut stored = Stored::default();
    for (key, value) in entries {
        if take(&mut stored, &key, value, conversion, names).is_none() {
            stored.unreadable += 1;
        }
    }
    stored
}

fn take(
    stored: &mut Stored,
    key: &[u8],
    value: Bytes,
    conversion: &Conversion,
    names: &mut Names,
) -> Option<()> {
    match key {
        WHOLE => {
            let whole = stored.whole.insert(Whole::default());
            let kinds =
                Kind::ALL.into_iter().zip(&value).filter(|(_, known)| [COMPLETE, OUTDATED].contains(known));
            kinds.for_each(|(kind, _)| whole.insert(kind));
            stored.outdated = value.contains(&OUTDATED);
        }
        SYNCED => stored.synced_unix_ms = Some(u64::from_le_bytes(value.as_ref().try_into().ok()?)),
        CONVERSION => stored.conversion = Some(conversion_in(&value)?),
        [ANSWER, name @ ..] => {
            let texts: Vec<String> = serde_json::from_slice(&value).ok()?;
            let addresses = texts.iter().map(|text| text.parse().ok()).collect::<Option<_>>()?;
            stored.answers.push((String::from_utf8(name.to_vec()).ok()?, addresses));
        }
        [first, ..] => {
            let kind = Kind::ALL.into_iter().find(|kind| prefix(*kind) == *first)?;
            let resource = Resource::decode(value).ok()?;
            stored.heard.push(Heard::new(conversion, kind, &resource, names));
        }
        [] => return None,
    }
    Some(())
}

/// How the agent that wrote an entry converts what comes, if it is the entry that says so.
pub(super) fn conversion_of(key: &[u8], value: &[u8]) -> Option<Conversion> {
    (key == CONVERSION).then(|| conversion_in(value)).flatten()
}

fn conversion_in(value: &[u8]) -> Option<Conversion> {
    let (first, network) = value.split_first()?;
    let on_unsupported = match *first {
        WARN => OnUnsupported::Warn,
        REFUSE => OnUnsupported::Refuse,
        _ => return None,
    };
    Some(Conversion { network: str::from_utf8(network).ok()?.into(), on_unsupported })
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
