//! A pod of our own that sends through every hook, by both families, and says what it saw.
//!
//! It is a process in a cgroup and a network namespace that were made for it, with nothing but a loopback interface.
//! [`service`] and [`workload`] lead virtual IPs that nobody else can have to a server in that namespace. [`Sentinel`] is
//! the handle that whoever wants to know holds; [`serve`] is the process.

mod error;
mod findings;
mod handle;
mod loopback;
mod place;
mod probe;
mod process;
mod server;

pub use error::SentinelError;
pub use findings::Findings;
pub use handle::{Sentinel, remove_left_cgroups};
pub use place::{NAME, service, workload};
pub use process::serve;

/// The first argument of a program that is to be the process.
pub const ARGUMENT: &str = "sentinel";
