//! The words that processes of Evermesh exchange about their own life:
//!
//! - agent to supervisor, the systemd notify protocol: [`notify`];
//! - command line to supervisor, and a new supervisor to the old one: [`message`], sent with [`Client`];
//! - supervisor and command line to an agent's program, what it is to do instead of running: [`errand`];
//! - agent to supervisor, whether a generation on trial stays: [`gate`];
//! - to whoever starts next, on disk: [`Intent`] and the supervisor's last [`State`](message::State).
//!
//! Every release must be able to talk to every other one; [`message`] says what may change and what may not.
//! Nothing here is asynchronous, starts a process or touches the network.

mod client;
pub mod errand;
pub mod gate;
mod intent;
pub mod message;
pub mod notify;
mod predecessor;
pub mod replace;
mod run_dir;
mod state_file;

pub use client::{Client, ClientError};
pub use intent::{Intent, IntentError, RecordedIntent};
pub use predecessor::{Heard, Predecessor};
pub use run_dir::RunDir;
pub use state_file::StateFileError;
