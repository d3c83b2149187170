//! `control`: a frozen array of 64-bit words, one field a word, written by `BPF_MAP_UPDATE_ELEM` (8-byte array
//! elements are copied whole). A word is never reused; words not named here are zero, for later releases.

/// How many words there are.
pub const WORDS: u32 = 64;

/// Revision of the envelope; [`REVISION_NOW`].
pub const REVISION: u32 = 0;
/// What a writer of `enrolled` may do now: write in [`PHASE_STEADY`], and wait in any other, of which a later release may
/// know more.
pub const PHASE: u32 = 1;
/// `CLOCK_BOOTTIME` in nanoseconds when the agent last said that it is alive; 0: never.
pub const HEARTBEAT_NS: u32 = 2;
/// How old [`HEARTBEAT_NS`] may grow before traffic falls through untouched, in nanoseconds; 0: for ever.
pub const LEASE_NS: u32 = 3;

/// The revision this release writes.
pub const REVISION_NOW: u64 = 1;
/// `enrolled` may be written.
pub const PHASE_STEADY: u64 = 0;
/// Another map takes the place of `enrolled`, or comes to hold what it holds: whoever writes it waits.
pub const PHASE_SUSPENDED: u64 = 1;
