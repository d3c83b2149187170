//! Releases on disk: the three programs of one version, staged under their digest in `releases/` of the state
//! directory, and the [`Ledger`] that says which of them runs.
//!
//! ```text
//! releases/ledger.json          what is committed, what was before, what is tried, and how trials ended
//! releases/<digest>/release.json, evermesh, evermesh-supervisor, evermesh-agent
//! releases/.staging-<pid>/      one that is being staged; without its owner, the next sweep removes it
//! releases/verified.json        which files were read whole and found to be right
//! releases/lock                 held while something is staged or removed
//! ```
//!
//! A directory gets its name last, so whatever has a name was copied, synchronised, compared and tried to run.

mod digest;
mod error;
mod launch;
mod layouts;
mod ledger;
mod ledger_file;
mod manifest;
mod probe;
mod source;
mod space;
mod staging;
mod stamps;
mod store;

pub use digest::Digest;
pub use error::ReleaseError;
pub use launch::{Launch, launch};
pub use layouts::Layouts;
pub use ledger::{Candidate, Entry, Ledger, Outcome, TRIES_OF_A_START};
pub use ledger_file::{LedgerError, LedgerFile};
pub use manifest::{Program, Release};
pub use probe::{check_supervisor, version};
pub use source::Source;
pub use space::{Room, room};
pub use staging::{Staged, Staging, stage};
pub use stamps::Stamps;
pub use store::{Store, StoreLock};

/// What belongs to a release, in the order of its digest.
pub const PROGRAMS: [&str; 3] = ["evermesh", AGENT, SUPERVISOR];
/// The program that starts the agent.
pub const SUPERVISOR: &str = "evermesh-supervisor";
/// The program that is tried.
pub const AGENT: &str = "evermesh-agent";
/// In the environment of a supervisor: the digest of the release by which it was started, if that is another one.
pub const LAUNCHED_BY: &str = "EVERMESH_LAUNCHED_BY";

/// Wall clock, milliseconds since 1970.
pub fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
