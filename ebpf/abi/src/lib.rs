//! Key and value types of every eBPF map, shared by the kernel programs and user space.
//!
//! Everything here is plain integers and arrays with explicit padding: the bytes *are* the interface.
//! Addresses are sixteen bytes in network order, IPv4 as v4-mapped IPv6 (`::ffff:a.b.c.d`), so one key
//! form serves both families; ports inside keys and records are in network order as the kernel hands them
//! to programs. A type's size is asserted beside it; a change of meaning raises its revision.
#![no_std]

mod address;
pub mod before;
pub mod control;
mod counter;
mod endpoint;
mod enrolled;
mod frontend;
mod origin;
mod renamed;
mod service;

pub use address::Address;
pub use counter::Counter;
pub use endpoint::Endpoint;
pub use enrolled::{ENROLLED_NAME_MAX, ENROLLED_REVISION, Enrolled};
pub use frontend::{FrontendKey, FrontendValue};
pub use origin::{
    ORIGIN_CONNECTED, ORIGIN_REVISION, Origin, UDP_ORIGINS_PER_SOCKET, UdpOrigin, UdpOriginKey, UdpOriginKind,
};
pub use renamed::{RENAMED, Renamed};
pub use service::{
    ALGORITHM_MAGLEV, ALGORITHM_NONE, ALGORITHM_RANDOM, ALGORITHM_ROUND_ROBIN, ServiceMeta, ServiceWord,
};

/// `IPPROTO_TCP`, as it stands in [`FrontendKey::protocol`].
pub const PROTOCOL_TCP: u8 = 6;
/// `IPPROTO_UDP`, as it stands in [`FrontendKey::protocol`].
pub const PROTOCOL_UDP: u8 = 17;
