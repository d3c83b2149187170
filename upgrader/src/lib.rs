//! The supervisor: starts, watches and replaces the agent, and hands over to another release of itself.
//!
//! It never touches the network, a kernel map or the mesh's state, so that it almost never has to change: it
//! knows processes, the notify protocol, the messages of [`evermesh_handover`], and the programs of each [`release`] on
//! disk. What to do is decided by the [`machine`], without any I/O; [`run`] does it, on one thread.

mod check;
mod error;
mod exit;
pub mod machine;
mod options;
pub mod release;
mod runtime;

pub use check::{CheckError, check};
pub use error::SupervisorError;
pub use exit::Exit;
pub use options::Options;
pub use runtime::run;
