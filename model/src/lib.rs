//! The mesh as Evermesh understands it. Pure: no I/O, no wire formats, no bytes of maps.
//!
//! A [`Snapshot`] is one immutable, validated state of the whole mesh; a [`Delta`] says which services differ
//! between two of them.

mod delta;
mod digest;
mod policy;
mod service;
mod snapshot;
mod workload;

pub use delta::Delta;
pub use digest::Digest;
pub use policy::Policy;
pub use service::{Port, Protocol, Service, ServiceKey, VirtualIp};
pub use snapshot::{InvalidSnapshot, Snapshot};
pub use workload::{Health, Workload, WorkloadUid};
