//! The node agent: configuration to kernel tables. Composition only: what is hard is done by the crates below.
//!
//! ```text
//! source (files, or a control plane) -> Snapshot -> data plane (one thread, evermesh-loader) -> kernel tables
//!                      |
//!                 core: what to do on which event; pure
//!                      |
//!      record on disk, status for the admin socket, notices for the supervisor
//! ```
//!
//! It starts by adopting what stands and reconciling it with what it knows, in the order that [`run`] says. It ends
//! without detaching anything: only `evermesh uninstall` does that.

mod admin;
mod clock;
mod core;
mod data_plane;
mod error;
mod hands;
mod heap;
mod judge;
mod laid;
mod last_words;
mod layouts;
mod news;
mod options;
mod record;
mod runtime;
mod signals;
mod slice;
pub mod source;
mod start;
mod step_down;
mod supervisor;
mod xds;

pub use error::AgentError;
pub use evermesh_xds_cache::message;
pub use layouts::{LayoutsError, say_layouts};
pub use options::Options;
pub use start::run;
pub use step_down::{StepDownError, step_down};
pub use xds::{SOURCE as CONTROL_PLANE, Unsupported, XdsOptions};
