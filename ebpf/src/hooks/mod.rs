//! What each kind of hook does.

mod connect;
mod datagram;
mod peer;
mod release;

pub use connect::connect;
pub use datagram::{recvmsg, sendmsg};
pub use peer::getpeername;
pub use release::sock_release;
