//! A resource as it came, in little room. Pure.
//!
//! The workloads of one deployment are described in the same words, but for a few that the model keeps anyway: who each is, and
//! where. Without those their bytes are alike, and stand in memory once.

use std::{borrow::Cow, iter, net::IpAddr, sync::Arc};

use evermesh_model::{Names, Workload};
use prost::{decode_length_delimiter, encode_length_delimiter, length_delimiter_len};

/// The bytes of a resource.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wording {
    bytes: Arc<[u8]>,
    /// They are those of a workload, of whose own words they say only where they stood.
    is_shortened: bool,
}

/// The key of the field of an `Address` that holds a workload.
const WORKLOAD: usize = 1 << TYPE_BITS | LENGTH_DELIMITED;
/// The bits of a key that say of which type the field is. See <https://protobuf.dev/programming-guides/encoding/>.
const TYPE_BITS: usize = 3;
const TYPE: usize = (1 << TYPE_BITS) - 1;
const VARINT: usize = 0;
const FIXED_64: usize = 1;
const LENGTH_DELIMITED: usize = 2;
const FIXED_32: usize = 5;
/// A type that protobuf does not have: instead of its text, the field has the number of one of the workload's own words.
const OWN_WORD: usize = 7;

impl Wording {
    /// Of any resource.
    pub fn whole(bytes: &[u8]) -> Self {
        Self { bytes: bytes.into(), is_shortened: false }
    }

    /// Of a workload. What is said of others in the same words shares its memory.
    pub fn of(workload: &Workload, bytes: &[u8], names: &mut Names) -> Self {
        let Some(shortened) = shortened(workload, bytes) else { return Self::whole(bytes) };
        let mut bytes = shortened.into();
        names.share_bytes(&mut bytes);
        Self { bytes, is_shortened: true }
    }

    /// As they came; `workload` is whose they are, if they are a workload's.
    pub fn bytes(&self, workload: Option<&Workload>) -> Vec<u8> {
        let shortened = workload.filter(|_| self.is_shortened);
        shortened.map_or_else(|| self.bytes.to_vec(), |workload| lengthened(workload, &self.bytes))
    }
}

/// Words that are said of no other workload, or of few: what it is called, and where it is.
fn own_words(workload: &Workload) -> Vec<Cow<'_, [u8]>> {
    let Workload { uid, name, node, addresses, .. } = workload;
    let texts = [uid.as_str(), name, node].map(|text| Cow::Borrowed(text.as_bytes()));
    let octets = |address: &IpAddr| match address {
        IpAddr::V4(address) => Cow::Owned(address.octets().to_vec()),
        IpAddr::V6(address) => Cow::Owned(address.octets().to_vec()),
    };
    texts.into_iter().chain(addresses.iter().map(octets)).collect()
}

/// `None`: these bytes are of another form than those that are known, and would not be the same when they are lengthened.
fn shortened(workload: &Workload, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut left = bytes;
    let outer = Field::next(&mut left).filter(Field::is_shortest)?;
    let Field { key: WORKLOAD, content: Content::Text(inner), .. } = outer else { return None };
    let words = own_words(workload);
    let mut shortened = Vec::with_capacity(inner.len());
    for field in fields(inner) {
        let field = field?;
        let number = match field.content {
            Content::Text(text) if field.is_shortest() => words.iter().position(|word| **word == *text),
            Content::Text(_) | Content::Number => None,
            Content::OwnWord(_) => return None,
        };
        match number {
            Some(number) => {
                put(field.key & !TYPE | OWN_WORD, &mut shortened);
                put(number, &mut shortened);
            }
            None => shortened.extend(field.all),
        }
    }
    left.is_empty().then_some(shortened)
}

/// What was shortened as those of this workload, as it was.
fn lengthened(workload: &Workload, shortened: &[u8]) -> Vec<u8> {
    let words = own_words(workload);
    let mut inner = Vec::with_capacity(2 * shortened.len());
    for field in fields(shortened).flatten() {
        let word = if let Content::OwnWord(number) = field.content { words.get(number) } else { None };
        match word {
            Some(word) => text(field.key & !TYPE | LENGTH_DELIMITED, word, &mut inner),
            None => inner.extend(field.all),
        }
    }
    let mut bytes = Vec::with_capacity(inner.len() + 8);
    text(WORKLOAD, &inner, &mut bytes);
    bytes
}

/// A field of a message.
struct Field<'a> {
    key: usize,
    content: Content<'a>,
    /// Its bytes, with the key.
    all: &'a [u8],
}

enum Content<'a> {
    Text(&'a [u8]),
    Number,
    OwnWord(usize),
}

impl<'a> Field<'a> {
    /// Takes the first one off.
    fn next(left: &mut &'a [u8]) -> Option<Self> {
        let message = *left;
        let key = number(left)?;
        let content = match key & TYPE {
            VARINT => number(left).map(|_| Content::Number)?,
            FIXED_64 => take(8, left).map(|_| Content::Number)?,
            FIXED_32 => take(4, left).map(|_| Content::Number)?,
            LENGTH_DELIMITED => Content::Text(take(number(left)?, left)?),
            OWN_WORD => Content::OwnWord(number(left)?),
            _ => return None,
        };
        Some(Self { key, content, all: &message[..message.len() - left.len()] })
    }

    /// Whether its numbers take as few bytes as they can, as [`put`] writes them.
    fn is_shortest(&self) -> bool {
        let Content::Text(text) = self.content else { return false };
        self.all.len() == length_delimiter_len(self.key) + length_delimiter_len(text.len()) + text.len()
    }
}

/// `None` at the end: what follows is no field.
fn fields(mut message: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    iter::from_fn(move || {
        let field = (!message.is_empty()).then(|| Field::next(&mut message))?;
        if field.is_none() {
            message = &[];
        }
        Some(field)
    })
}

fn take<'a>(count: usize, left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (taken, rest) = left.split_at_checked(count)?;
    *left = rest;
    Some(taken)
}

/// Numbers of messages are what prost calls length delimiters: varints.
fn number(left: &mut &[u8]) -> Option<usize> {
    decode_length_delimiter(left).ok()
}

fn put(number: usize, bytes: &mut Vec<u8>) {
    // A vector has room for every number.
    let _room = encode_length_delimiter(number, bytes);
}

fn text(key: usize, text: &[u8], bytes: &mut Vec<u8>) {
    put(key, bytes);
    put(text.len(), bytes);
    bytes.extend(text);
}

#[cfg(test)]
mod tests {
    use evermesh_model::WorkloadUid;
    use evermesh_proto::workload::{Address, PortList, Workload as Wire, address::Type};
    use proptest::{collection::vec, prelude::*};
    use prost::Message as _;

    use super::*;

    fn workload(uid: &str, name: &str, node: &str, address: &[u8]) -> Workload {
        let address: Result<[u8; 4], _> = address.try_into();
        Workload {
            uid: WorkloadUid::new(uid),
            name: name.into(),
            node: node.into(),
            addresses: address.map(IpAddr::from).into_iter().collect(),
            ..Workload::default()
        }
    }

    fn bytes(wire: Wire) -> Vec<u8> {
        Address { r#type: Some(Type::Workload(wire)) }.encode_to_vec()
    }

    /// As Istiod describes a pod of a deployment.
    fn pod(number: u8) -> (Workload, Vec<u8>) {
        let (name, node) = (format!("web-6d5f9c7b8f-{number:05}"), format!("node-{}", number % 3));
        let (uid, address) = (format!("Kubernetes//Pod/demo/{name}"), [10, 0, 0, number]);
        let wire = Wire {
            uid: uid.clone(),
            name: name.clone(),
            namespace: "demo".into(),
            addresses: vec![address.to_vec().into()],
            node: node.clone(),
            trust_domain: "cluster.local".into(),
            canonical_name: "web".into(),
            canonical_revision: "v1".into(),
            workload_name: "web".into(),
            services: [("demo/web.demo.svc.cluster.local".to_owned(), PortList::default())].into(),
            capacity: Some(3),
            ..Wire::default()
        };
        (workload(&uid, &name, &node, &address), bytes(wire))
    }

    #[test]
    fn the_pods_of_a_deployment_share_what_is_said_of_them() {
        let mut names = Names::default();
        let pods = [1, 2].map(pod);
        let [one, other] = pods.each_ref().map(|(workload, bytes)| Wording::of(workload, bytes, &mut names));
        assert!(one.is_shortened && Arc::ptr_eq(&one.bytes, &other.bytes));
        assert!(2 * one.bytes.len() < pods[0].1.len() + 20, "{} of {}", one.bytes.len(), pods[0].1.len());
        for (wording, (workload, bytes)) in [one, other].iter().zip(&pods) {
            assert_eq!(wording.bytes(Some(workload)), *bytes);
        }
    }

    #[test]
    fn what_is_of_another_form_is_the_same_again() {
        let (workload, good) = pod(1);
        let with = |inner: &[u8]| {
            let mut bytes = Vec::new();
            text(WORKLOAD, inner, &mut bytes);
            bytes
        };
        // Numbers may take more bytes than they need.
        let long = |text: &[u8]| [&[u8::try_from(text.len()).unwrap() | 0x80, 0], text].concat();
        let name = workload.name.as_bytes();
        for odd in [
            vec![],
            good[1..].to_vec(),
            good[..good.len() - 1].to_vec(),
            [&good[..], &good].concat(),
            with(&[1 << 3 | 7, 0]),
            with(&[1 << 3 | 3, 1 << 3 | 4]),
            with(&[&[1 << 3 | 2][..], &long(name)].concat()),
            with(&[&[1 << 3 | 2 | 0x80, 0, 2][..], &name[..2]].concat()),
            [&[1 << 3 | 2][..], &long(&[1 << 3, 5])].concat(),
        ] {
            let wording = Wording::of(&workload, &odd, &mut Names::default());
            assert_eq!(wording.bytes(Some(&workload)), odd);
        }
    }

    proptest! {
        /// Whatever is said of it, and wherever its own words stand.
        #[test]
        fn nothing_is_lost(
            words in ["[a-c]{0,2}", "[a-c]{0,2}", "[a-c]{0,2}"],
            address in vec(0u8..3, 0..5),
            fields in vec((1usize..30, prop_oneof![
                vec(0u8..3, 0..5).prop_map(|octets| (LENGTH_DELIMITED, octets)),
                "[a-c]{0,3}".prop_map(|text| (LENGTH_DELIMITED, text.into_bytes())),
                (0usize..8).prop_map(|kind| (kind, vec![1])),
                Just((FIXED_32, vec![9; 4])),
            ]), 0..8),
            outer in prop_oneof![8 => Just(WORKLOAD), 1 => 0usize..40],
            rest in prop_oneof![8 => Just(vec![]), 1 => vec(any::<u8>(), 1..4)],
        ) {
            let workload = workload(&words[0], &words[1], &words[2], &address);
            let (mut inner, mut bytes) = (Vec::new(), Vec::new());
            for (number, (kind, content)) in fields {
                put(number << TYPE_BITS | kind, &mut inner);
                if kind == LENGTH_DELIMITED {
                    put(content.len(), &mut inner);
                }
                inner.extend(content);
            }
            text(outer, &inner, &mut bytes);
            bytes.extend(rest);
            let wording = Wording::of(&workload, &bytes, &mut Names::default());
            prop_assert_eq!(wording.bytes(Some(&workload)), bytes);
        }
    }
}
