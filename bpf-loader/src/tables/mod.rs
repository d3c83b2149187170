//! The configuration tables of one generation: what stands in them, what should, and the stores between.

mod adopt;
mod compare;
mod contents;
mod id_pool;
mod invariant;
mod meaning;
mod partial;
mod plan;
mod read;
mod records;
mod services;
mod slot_pool;
mod state;
mod store;
mod writer;

pub use adopt::adopt;
pub use compare::At;
pub use contents::Contents;
pub use invariant::{Violation, check};
pub use meaning::{Meaning, Target};
pub use partial::without_keys;
pub use plan::{Change, Full, plan, plan_in_parts};
pub use read::{MemoryTables, TableRead};
pub use state::{Retired, State};
pub use store::Store;
pub use writer::{TableWriter, WriteError};
