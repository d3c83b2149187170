//! The mesh as Evermesh understands it. Pure: no I/O, no wire formats, no bytes of maps.
//!
//! A [`Snapshot`] is one immutable, validated state of the whole mesh; a [`Delta`] says which services differ
//! between two of them.

mod address;
mod check;
mod delta;
mod digest;
mod invalid;
mod last_applied;
mod parts;
mod policy;
mod service;
mod snapshot;
mod workload;

#[cfg(test)]
mod samples;

pub use address::UnusableAddress;
pub use delta::Delta;
pub use digest::Digest;
pub use invalid::InvalidSnapshot;
pub use last_applied::LastApplied;
pub use policy::{Policy, PolicyAction, PolicyScope};
pub use service::{Port, Protocol, Service, ServiceKey, VirtualIp};
pub use snapshot::Snapshot;
pub use workload::{Health, Workload, WorkloadUid};
