//! What programs wrote in one layout comes to stand in another while they go on writing.
//!
//! Bridge programs read one map, the *primary*, and after each change lead the entry of the other one, the *secondary*, to it.
//! The *sweep* does the same for every entry that stood before. All follow one rule, [`Settling`]: whoever has written the
//! secondary looks at the primary again, and goes on until it was the same before and after.
//!
//! **Why nothing is lost, stale or resurrected.** Take the last write of an entry of the secondary, and who wrote it. That one
//! looked at the primary afterwards and found what it had written, or it would have written again. Had the primary changed
//! later still, the bridge that changed it would have written the secondary after that: so it has not. It does not matter what
//! the secondary held before; entries that old programs changed while links were switched one by one are led like any
//! other, and the sweep goes through the keys of both maps. The exception is a pair of an unconnected UDP socket:
//! a bridge writes it to both maps without looking again, so two threads that send on one socket to one virtual IP for the first
//! time, at once, may leave either of their two pairs, and both are right.

mod fields;
#[cfg(test)]
mod model;
mod settling;
mod sweep;

pub use fields::Fields;
pub use settling::{Settling, Turn};
pub use sweep::{Swept, Translate, sweep};
