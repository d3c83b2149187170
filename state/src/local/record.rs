//! The bytes of a record. All numbers are little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | magic |
//! | 8..12 | format version, of everything after it |
//! | 12..16 | flags, none yet |
//! | 16..24 | length of the payload |
//! | 24..56 | SHA-256 of the payload |
//! | 56..88 | SHA-256 of bytes 0..56 |
//! | 88.. | payload |

use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"EVMSNAP\n";
const FORMAT: u32 = 1;
pub(super) const HEADER_LENGTH: usize = 88;

/// Bytes of the largest payload: a mesh of a million workloads takes a fifth of it.
pub const PAYLOAD_MAX: u64 = 1 << 30;

/// Why bytes are no record that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// It does not begin as records do.
    #[error("it is not a snapshot: something else was put in its place")]
    WrongMagic,
    /// It ends too early.
    #[error("it is cut off: {found} bytes of {expected} are there")]
    Truncated {
        /// Bytes that are there.
        found: u64,
        /// Bytes that should be there, as far as one can tell.
        expected: u64,
    },
    /// Another release wrote it.
    #[error("it is of format {found}, and this release knows {known}: run the release that wrote it")]
    UnknownFormat {
        /// Its format.
        found: u32,
        /// The format of this release.
        known: u32,
    },
    /// It wants something of its reader that this release cannot do.
    #[error("it has the flags {flags:#x}, which this release does not know: run the release that wrote it")]
    UnknownFlags {
        /// All its flags.
        flags: u32,
    },
    /// Its header was changed after it was written.
    #[error("the checksum of its header is wrong: the disk or somebody changed it")]
    HeaderChecksum,
    /// Its payload was changed after it was written.
    #[error("the checksum of its content is wrong: the disk or somebody changed it")]
    PayloadChecksum,
    /// No record is that large.
    #[error("it claims {length} bytes, more than the {PAYLOAD_MAX} that a snapshot can have")]
    TooLarge {
        /// Bytes of the payload.
        length: u64,
    },
    /// Something follows after its end.
    #[error("{extra} bytes follow after its end: something else was written into it")]
    TrailingBytes {
        /// How many.
        extra: u64,
    },
}

/// The header that goes before a payload.
pub(super) fn header(payload: &[u8]) -> Result<[u8; HEADER_LENGTH], BadRecord> {
    let length = payload.len() as u64;
    if length > PAYLOAD_MAX {
        return Err(BadRecord::TooLarge { length });
    }
    let mut header = [0; HEADER_LENGTH];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[16..24].copy_from_slice(&length.to_le_bytes());
    header[24..56].copy_from_slice(&Sha256::digest(payload));
    let checksum = Sha256::digest(&header[..56]);
    header[56..].copy_from_slice(&checksum);
    Ok(header)
}

/// The payload of a record.
pub(super) fn payload(record: &[u8]) -> Result<&[u8], BadRecord> {
    let known = record.len().min(MAGIC.len());
    if record[..known] != MAGIC[..known] {
        return Err(BadRecord::WrongMagic);
    }
    let (header, payload) = header_of(record)?;
    let length = payload.len() as u64;
    let expected = check_header(header)?;
    let whole = |payload| payload + HEADER_LENGTH as u64;
    if length < expected {
        return Err(BadRecord::Truncated { found: whole(length), expected: whole(expected) });
    }
    if length > expected {
        return Err(BadRecord::TrailingBytes { extra: length - expected });
    }
    if Sha256::digest(payload)[..] != header[24..56] {
        return Err(BadRecord::PayloadChecksum);
    }
    Ok(payload)
}

/// The format comes first: another one may have another header.
fn header_of(record: &[u8]) -> Result<(&[u8; HEADER_LENGTH], &[u8]), BadRecord> {
    if let Some(format) = record.get(8..).and_then(|rest| rest.first_chunk()) {
        let found = u32::from_le_bytes(*format);
        if found != FORMAT {
            return Err(BadRecord::UnknownFormat { found, known: FORMAT });
        }
    }
    let (found, expected) = (record.len() as u64, HEADER_LENGTH as u64);
    record.split_first_chunk().ok_or(BadRecord::Truncated { found, expected })
}

/// The length of the payload, when the header can be trusted.
fn check_header(header: &[u8; HEADER_LENGTH]) -> Result<u64, BadRecord> {
    if Sha256::digest(&header[..56])[..] != header[56..] {
        return Err(BadRecord::HeaderChecksum);
    }
    let flags = u32::from_le_bytes(field(header, 12));
    if flags != 0 {
        return Err(BadRecord::UnknownFlags { flags });
    }
    let length = u64::from_le_bytes(field(header, 16));
    if length > PAYLOAD_MAX {
        return Err(BadRecord::TooLarge { length });
    }
    Ok(length)
}

fn field<const N: usize>(header: &[u8; HEADER_LENGTH], at: usize) -> [u8; N] {
    std::array::from_fn(|index| header[at + index])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(payload: &[u8]) -> Vec<u8> {
        [&header(payload).unwrap()[..], payload].concat()
    }

    /// A record whose header says so, with a checksum that is right.
    fn record_with(at: usize, bytes: &[u8]) -> Vec<u8> {
        let mut record = record(b"payload");
        record[at..at + bytes.len()].copy_from_slice(bytes);
        let checksum = Sha256::digest(&record[..56]);
        record[56..88].copy_from_slice(&checksum);
        record
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let record = record(&bytes);
            prop_assert_eq!(payload(&record).unwrap(), &bytes[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(payload(&bytes).is_err());
            prop_assert!(payload(&[&MAGIC[..], &FORMAT.to_le_bytes(), &bytes].concat()).is_err());
        }
    }

    #[test]
    fn cut_off_at_any_length() {
        let record = record(b"some payload");
        for length in 0..record.len() {
            let error = payload(&record[..length]).unwrap_err();
            let expected = if length < HEADER_LENGTH { HEADER_LENGTH } else { record.len() } as u64;
            assert_eq!(error, BadRecord::Truncated { found: length as u64, expected });
        }
    }

    #[test]
    fn any_bit_flipped() {
        let record = record(b"some payload");
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let error = payload(&flipped).unwrap_err();
            match bit / 8 {
                0..8 => assert_eq!(error, BadRecord::WrongMagic),
                8..12 => assert!(matches!(error, BadRecord::UnknownFormat { .. }), "{error:?}"),
                12..88 => assert_eq!(error, BadRecord::HeaderChecksum),
                _ => assert_eq!(error, BadRecord::PayloadChecksum),
            }
        }
    }

    #[test]
    fn bytes_after_the_end() {
        let longer = [record(b"payload"), vec![0; 3]].concat();
        assert_eq!(payload(&longer), Err(BadRecord::TrailingBytes { extra: 3 }));
    }

    #[test]
    fn a_header_that_is_whole_and_asks_too_much() {
        assert_eq!(payload(&record_with(12, &[4])), Err(BadRecord::UnknownFlags { flags: 4 }));
        let length = PAYLOAD_MAX + 1;
        let claims = record_with(16, &length.to_le_bytes());
        assert_eq!(payload(&claims), Err(BadRecord::TooLarge { length }));
    }

    #[test]
    fn another_format_is_told_even_from_its_first_bytes() {
        let newer = [&MAGIC[..], &7_u32.to_le_bytes()].concat();
        assert_eq!(payload(&newer), Err(BadRecord::UnknownFormat { found: 7, known: 1 }));
    }
}
