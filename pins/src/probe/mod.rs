//! What this kernel and host offer: looked at, not judged, and nothing is changed by looking.

mod capability;
mod kernel;
mod memory;
mod placement;
mod seat;

pub use capability::Capability;
pub use kernel::{HostMemory, has_btf, is_configured, jits};
pub use memory::{Footprint, charged};
pub use placement::{PodOutside, outside};
pub use seat::{Seat, Seated};
