//! What stands in bpffs: open, identify, enumerate, verify, enrol, remove.
//!
//! The CLI works through this crate alone when the agent is dead; the loader builds on it. Nothing here
//! decides what *should* stand there.
//!
//! ```text
//! <bpffs>/                      one writer at a time: a lock on this directory
//!   frozen/enrolled|origins|udp_origins|control     shared by all generations
//!   links/connect4|...          attach programs to the cgroup; outlive every process
//!   gen/000001/                 one complete set of tables and programs
//!     manifest                  written last: what belongs to this generation
//!     tables/frontends|services|service_meta|slots|endpoints|counters
//!     programs/connect4|...
//!     frozen/enrolled|origins|udp_origins    only while they are carried over: they take the place of those above
//!     bridge/near|far/connect4|...  only meanwhile: programs that know both
//!   live -> gen/000001          replaced by rename
//! ```

mod bridge;
mod control;
mod enrolment;
mod frozen_map;
mod hook;
pub mod host;
mod inventory;
pub mod layout;
mod manifest;
mod origins;
mod path;
pub mod probe;
mod removal;
pub mod sys;
mod table;
mod verify;
mod view;
mod writer_lock;

pub use bridge::BridgeEnd;
pub use control::{Control, ControlError};
pub use enrolment::{Enrolment, EnrolmentError, Pod, PodAddresses, PodMap};
pub use frozen_map::{FrozenMap, FrozenMapError};
pub use hook::Hook;
pub use inventory::{GenerationPins, Inventory, InventoryError, LinkPin, MapPin, ProgramPin};
pub use manifest::{HookEntry, Manifest, ManifestError, TableEntry};
pub use origins::origins;
pub use path::PinDir;
pub use removal::{RemovalError, Removed, remove_all, remove_bridge, remove_generation};
pub use table::{Layout, MapKind, Table};
pub use verify::{Finding, verify};
pub use view::{FrontendEntry, TableEntries, TablesView, ViewError};
pub use writer_lock::{WriterLock, WriterLockError};
