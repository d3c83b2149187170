//! The test rig: pods in network namespaces, servers and clients that never pause, faults from a seed, and an
//! oracle that says from the clients' records whether traffic noticed.
//!
//! Everything a test makes lives in one [`sandbox::Sandbox`] and is gone when it is dropped; what a killed test
//! left behind is swept by the next one. Needs root, cgroup v2, bpffs and `ip` (iproute2).

mod asked;
pub mod binaries;
pub mod client;
pub mod clock;
mod error;
pub mod faults;
pub mod filler;
pub mod istiod;
pub mod mesh;
pub mod netns;
pub mod oracle;
pub mod pod;
pub mod process;
pub mod release;
pub mod sandbox;
pub mod server;
pub mod stage;
pub mod steps;
mod sys;
pub mod wait;

pub use asked::asked_for;
pub use error::{Error, Result};
