//! The data plane without agent or supervisor: the loader on a real kernel, in a sandbox.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod adoption;
mod bench;
mod churn;
mod sockets;
mod switch;
