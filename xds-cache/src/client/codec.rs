//! The wire format of a stream, without what it takes to receive everything for as long as it is open.

use bytes::{Buf as _, Bytes};
use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use prost::Message as _;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder},
};
use tonic_prost::ProstCodec;

type Prost = ProstCodec<DeltaDiscoveryRequest, DeltaDiscoveryResponse>;

/// Requests and responses as protobuf has them.
#[derive(Debug, Default)]
pub(super) struct Discovery;

impl Codec for Discovery {
    type Encode = DeltaDiscoveryRequest;
    type Decode = DeltaDiscoveryResponse;
    type Encoder = <Prost as Codec>::Encoder;
    type Decoder = Responses;

    fn encoder(&mut self) -> Self::Encoder {
        Prost::default().encoder()
    }

    fn decoder(&mut self) -> Responses {
        Responses::default()
    }
}

/// Decodes responses.
#[derive(Debug, Default)]
pub(super) struct Responses(Outgrown);

impl Decoder for Responses {
    type Item = DeltaDiscoveryResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let response = buffer.copy_to_bytes(buffer.remaining());
        self.0.outgrow(&response);
        DeltaDiscoveryResponse::decode(response)
            .map(Some)
            .map_err(|error| Status::internal(format!("a response that is none: {error}")))
    }
}

/// A buffer that has grown for a large message is used again for all that follow, unless a piece of it is held while the next one
/// comes: then that gets a buffer of its own, and with the piece the large one is gone.
#[derive(Debug, Default)]
struct Outgrown(Vec<Bytes>);

impl Outgrown {
    /// Smaller messages are not worth another buffer.
    const LARGE: usize = 1 << 20;

    /// Takes note of a message that was received.
    fn outgrow(&mut self, message: &Bytes) {
        self.0.retain(|held| !held.is_unique());
        if message.len() >= Self::LARGE {
            self.0.push(message.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut as _, BytesMut};

    use super::*;

    /// The room for messages that this leaves. They come one by one, and are read and forgotten, as from a stream.
    fn room_after(messages: &[usize], mut read: impl FnMut(&Bytes)) -> usize {
        let mut buffer = BytesMut::with_capacity(8192);
        for length in messages {
            buffer.put_bytes(7, *length);
            read(&buffer.copy_to_bytes(*length));
        }
        buffer.reserve(1);
        buffer.capacity()
    }

    #[test]
    fn what_a_large_message_took_is_given_back_with_the_next_one() {
        let messages = [100, 30 << 20, 100, 100];
        assert!(room_after(&messages, |_| ()) > 20 << 20, "it is kept by itself");
        let mut outgrown = Outgrown::default();
        let room = room_after(&messages, |message| outgrown.outgrow(message));
        assert!(room < Outgrown::LARGE, "{room}");
        assert!(outgrown.0.is_empty());
    }
}
