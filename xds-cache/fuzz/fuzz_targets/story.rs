//! Changes that leave a sequence of messages one.

use evermesh_proto::discovery::{DeltaDiscoveryResponse, Resource};
use libfuzzer_sys::fuzzer_mutate;
use prost::{Message as _, bytes::Bytes};

use crate::frames::{Frame, frames};

const BEGIN: u8 = 0;
const RESPONSE: u8 = 2;
const ANSWER: u8 = 3;
/// How much longer a value may become.
const ROOM: usize = 32;

/// The sequence with one change, if the one that the seed chooses can be made.
pub fn changed(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut dice = Dice(u64::from(seed) << 1 | 1);
    let mut story: Vec<(u8, Vec<u8>)> = frames(bytes).map(owned).collect();
    match dice.below(8) {
        0 => drop(story.remove(dice.among(&story)?)),
        1 => {
            let again = story[dice.among(&story)?].clone();
            story.insert(dice.below(story.len() + 1), again);
        }
        2 => {
            let (one, other) = (dice.among(&story)?, dice.among(&story)?);
            story.swap(one, other);
        }
        3 => {
            let claims = vec![0; dice.below(2)];
            story.insert(dice.below(story.len() + 1), (BEGIN, claims));
        }
        4 => {
            let answer = (0..1 + 4 * dice.below(4)).map(|_| dice.byte()).collect();
            story.insert(dice.below(story.len() + 1), (ANSWER, answer));
        }
        _ => within(&mut story, &mut dice)?,
    }
    Some(encoded(&story))
}

/// Changes one of the responses.
fn within(story: &mut [(u8, Vec<u8>)], dice: &mut Dice) -> Option<()> {
    let responses: Vec<_> = (0..story.len()).filter(|&n| story[n].0 == RESPONSE).collect();
    let place = responses[dice.among(&responses)?];
    let other = responses[dice.among(&responses)?];
    let decoded = |place: usize| DeltaDiscoveryResponse::decode(story[place].1.as_slice()).ok();
    let (mut response, other) = (decoded(place)?, decoded(other)?);
    let resources = &mut response.resources;
    match dice.below(6) {
        0 => drop(resources.remove(dice.among(resources)?)),
        1 => resources.push(other.resources[dice.among(&other.resources)?].clone()),
        2 => {
            let gone = other.resources[dice.among(&other.resources)?].name.clone();
            response.removed_resources.push(gone);
        }
        3 => {
            let from = dice.among(resources)?;
            resources[from].name.clone_from(&other.resources[dice.among(&other.resources)?].name);
        }
        _ => {
            let place = dice.among(resources)?;
            value(&mut resources[place])?;
        }
    }
    story[place].1 = response.encode_to_vec();
    Some(())
}

fn value(resource: &mut Resource) -> Option<()> {
    let packed = resource.resource.as_mut()?;
    let mut bytes = packed.value.to_vec();
    let size = bytes.len();
    bytes.resize(size + ROOM, 0);
    let size = fuzzer_mutate(&mut bytes, size, size + ROOM);
    bytes.truncate(size);
    packed.value = Bytes::from(bytes);
    Some(())
}

fn owned(frame: Frame<'_>) -> (u8, Vec<u8>) {
    match frame {
        Frame::Begin(body) => (BEGIN, body.to_vec()),
        Frame::Response(body) => (RESPONSE, body.to_vec()),
        Frame::Other(kind, body) => (kind, body.to_vec()),
    }
}

fn encoded(story: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, body) in story {
        bytes.push(*kind);
        prost::encoding::encode_varint(body.len() as u64, &mut bytes);
        bytes.extend_from_slice(body);
    }
    bytes
}

/// Knuth's generator: what the fuzzer's seed decides, it decides again.
struct Dice(u64);

impl Dice {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }

    fn below(&mut self, end: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % end.max(1)
    }

    fn among<T>(&mut self, all: &[T]) -> Option<usize> {
        (!all.is_empty()).then(|| self.below(all.len()))
    }
}
