//! Layouts of the release before, of the frozen maps that may be carried over: what a bridge and a downgrade translate to and from.
//!
//! They are those of this release. One that changes a layout keeps the old structure here, with a conversion in each
//! direction ([`From`]), but for `enrolled`, which user space translates; nothing else of the kernel programs knows of it.
//! [`Origin::udp_origins`] stays an aligned u64 of that name: programs count in it where it stands.

pub use crate::{Enrolled, Origin, UdpOrigin, UdpOriginKey};
