//! Records on this node's disk, usable without anything else.

mod database;
mod error;
mod quarantine;
mod record;
mod snapshot_file;

pub use database::{Damage, Database, DatabaseError, Entry};
pub use error::{SnapshotError, Step};
pub use record::{BadRecord, PAYLOAD_MAX};
pub use snapshot_file::SnapshotFile;
