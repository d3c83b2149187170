//! Clients without pauses: as soon as one attempt is over the next begins, and each is recorded.

mod attempt;
mod conversation;
mod datagram;
mod expectation;
mod greeting;
mod http;
mod launch;
mod probe;
mod recording;
mod run;
mod target;

pub use attempt::{ATTEMPT_LEN, Attempt, Family, Kind, Outcome};
pub use expectation::Expectation;
pub use http::fetch;
pub use launch::{ClientProcess, ClientSpec};
pub use recording::{Recorder, Recording};
pub use run::{Bounds, run};
pub use target::Target;
