//! Changes of generation: which one is live, what an interrupted change left behind, and the steps of a new
//! one.

mod build;
mod decide;
mod switch;

pub use build::{BuildError, Built, build};
pub use decide::{Adoption, Decision, decide};
pub use switch::{SwitchError, attach_missing, make_live, switch_links};
