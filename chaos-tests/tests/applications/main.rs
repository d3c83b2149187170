//! What applications do with sockets, through virtual IPs: every test is a row of `docs/applications.md`, and every row
//! a test.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod bench;
mod fast_open;
mod hooks;
mod mapped;
mod mptcp;
mod passing;
mod python;
mod quic;
mod resolver;
mod table;
mod tcp;
mod udp;
mod udp_connected;
mod udp_messages;
mod uring;
mod web;
