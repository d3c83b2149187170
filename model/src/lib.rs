//! The mesh as Evermesh understands it. Pure: no I/O, no wire formats, no bytes of maps.
//!
//! A [`Snapshot`] is one immutable, validated state of the whole mesh; a [`Delta`] says which services differ
//! between two of them.

mod address;
mod balancing;
mod check;
mod delta;
mod digest;
mod here;
mod invalid;
mod last_applied;
mod members;
mod memberships;
mod names;
mod place;
mod policy;
mod room;
mod service;
mod snapshot;
mod workload;

#[cfg(test)]
mod samples;

pub use address::UnusableAddress;
pub use balancing::{Algorithm, Balancing, HealthPolicy, Mode, Scope};
pub use delta::{Delta, Replaced};
pub use digest::Digest;
pub use here::Here;
pub use invalid::InvalidSnapshot;
pub use last_applied::LastApplied;
pub use members::Within;
pub use memberships::Memberships;
pub use names::Names;
pub use place::{Locality, Place};
pub use policy::{Policy, PolicyAction, PolicyScope};
pub use service::{Passes, Port, Protocol, Service, ServiceKey, VirtualIp};
pub use smol_str::SmolStr;
pub use snapshot::{Changes, Snapshot};
pub use workload::{Addresses, Health, Workload, WorkloadUid};
