//! Records on this node's disk, usable without anything else.

mod error;
mod quarantine;
mod record;
mod snapshot_file;
mod store;

pub use error::{SnapshotError, Step};
pub use record::{BadRecord, PAYLOAD_MAX};
pub use snapshot_file::SnapshotFile;
pub use store::{Damage, Entry, Store, StoreError};
