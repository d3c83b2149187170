//! The bridge programs and the sweep on a real kernel: what programs wrote in one layout comes to stand in the other while
//! they go on writing.
#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod books;
mod layout;
mod load;
mod node;
mod sockets;
mod volume;
