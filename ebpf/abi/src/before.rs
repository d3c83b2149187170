//! Layouts of the release before, of the maps that programs write: what a bridge and a downgrade translate to and from.
//!
//! They are those of this release. One that changes a layout keeps the old structure here, with a conversion in each
//! direction ([`From`]); nothing else of the kernel programs knows of it. [`Origin::udp_origins`] stays an aligned u64 of
//! that name: programs count in it where it stands.

pub use crate::{Origin, UdpOrigin, UdpOriginKey};
