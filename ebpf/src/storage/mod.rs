//! Where origins stand. The rest of the programs knows one map of each kind; which it is, and whether another one is
//! filled beside it, is decided here, once for each object that a release consists of.
//!
//! | object | read, and changed first: the *primary* | then mirrored to: the *secondary* |
//! |---|---|---|
//! | current | this release's layouts | nothing |
//! | `up` | those of the release before | this release's |
//! | `down` | this release's | those of the release before |
//! | `level` | this release's | this release's, in another map |
//! | `before` | those of the release before | nothing |
//!
//! The first reads and writes its maps where they stand: it is what a connection costs.

#[cfg(any(feature = "up", feature = "down", feature = "level", feature = "before"))]
mod layouts;
#[cfg(any(feature = "up", feature = "down", feature = "level"))]
mod mirror;
#[cfg(any(feature = "up", feature = "down", feature = "level", feature = "before"))]
mod translated;
#[cfg(any(feature = "up", feature = "down", feature = "level", feature = "before"))]
use translated as maps;

#[cfg(not(any(feature = "up", feature = "down", feature = "level", feature = "before")))]
mod direct;
#[cfg(not(any(feature = "up", feature = "down", feature = "level", feature = "before")))]
use direct as maps;

pub use maps::{
    Entry, Pair, entry, insert, insert_again, insert_pair, pair, placed, places_taken, remove, remove_pair,
};
