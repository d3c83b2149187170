//! Istio's workload API by delta xDS: what a control plane says, as a mesh that outlives it.

pub mod cache;
pub mod client;
mod convert;
mod demand;
mod kind;
mod mesh;
pub mod message;
mod milestone;
pub mod names;
#[cfg(test)]
mod samples;
mod session;
mod whole;

pub use convert::{Conversion, InvalidResource, Meaning, OnUnsupported, Understood};
pub use demand::{Demand, Demands};
pub use kind::Kind;
pub use mesh::{Heard, Known, Listed, Mesh, Name, Refused, Rejected, Said, Says, Taken};
pub use milestone::Milestone;
pub use session::{Nonsense, Receipt, Received, Session, reasons};
pub use whole::Whole;
