//! Changes of generation: which steps they consist of, who does them, and what becomes of one that was interrupted.
//!
//! ```text
//! plan, recover        which steps (pure)
//!    |
//!  Interpreter         does them, one after the other
//!    |
//!  make, carry, switch, records     what a step does
//! ```

mod baseline;
mod carry;
mod direction;
mod interpret;
mod journal;
mod make;
pub mod plan;
mod programs;
#[cfg(test)]
mod properties;
mod records;
mod recover;
mod rehearse;
mod step;
mod switch;

use baseline::Baseline;
pub use carry::{CarryError, used};
pub use direction::Direction;
pub use interpret::{ChangeError, Fill, Interpreter, Watch};
pub use journal::{Change, Entry, Failures, Journal, JournalError, JournalFile, Stage, Wanted};
pub use make::BuildError;
pub use programs::Programs;
pub use records::Records;
pub use recover::{Adoption, Observed, Recovery, recover};
pub use rehearse::RehearsalError;
pub use step::{Moment, Step};
pub use switch::SwitchError;
