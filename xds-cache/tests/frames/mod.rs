//! What is said on streams, as bytes: messages of one byte that says what it is, a length (a varint), and a body.

/// One message.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A new stream begins. Recordings leave the body empty.
    Begin(&'a [u8]),
    /// A `DeltaDiscoveryResponse` of the control plane.
    Response(&'a [u8]),
    /// Anything else, with its byte: recordings hold requests under 1.
    Other(u8, &'a [u8]),
}

/// All messages, to the first that is cut off.
pub fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (&kind, mut rest) = bytes.split_first()?;
        let length = prost::encoding::decode_varint(&mut rest).ok()?;
        let (body, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        bytes = after;
        Some(match kind {
            0 => Frame::Begin(body),
            2 => Frame::Response(body),
            other => Frame::Other(other, body),
        })
    })
}
