//! The sockets of enrolled pods, as the kernel tells of them (`inet_diag`) in each pod's network namespace.
//!
//! **Where they lead** ([`flows`]): through which service, by what stands of it in `origins`, or past all of them.
//!
//! **Connected UDP sockets whose endpoint is gone** ([`destroy_orphans`]): found and destroyed, so that their applications connect
//! again. `send()` on a connected IPv4 socket enters no hook, so nothing else would ever lead such a socket away from an
//! endpoint that has left. Destroying it (`SOCK_DESTROY`) makes the next `send()` fail with `EDESTADDRREQ` and a
//! waiting `recv()` with `ECONNABORTED`; the same socket can be connected again. Unconnected UDP moves by itself in
//! sendmsg4/6, and TCP is left to its peers.
//!
//! ```text
//! origins, endpoints -> Orphans (pure) -> each enrolled pod's namespace: list UDP sockets, destroy those among them
//! ```

mod diag;
mod error;
mod flows;
mod namespace;
mod origins;
mod orphans;
mod pass;
#[cfg(test)]
mod samples;

pub use diag::Protocol;
pub use error::SocketsError;
pub use flows::{Flow, Flows, Through, flows};
pub use orphans::Orphans;
pub use pass::{Pass, destroy_orphans};
