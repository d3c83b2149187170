//! Model to kernel tables: lower, plan, execute; adoption and changes of generation.
//!
//! Data flows one way: a [`Snapshot`](evermesh_model::Snapshot) is *lowered* to the service ports that the
//! kernel should know, a *plan* of single stores is made against the state of the tables, and the one
//! [`TableWriter`](tables::TableWriter) executes it. On start the state is read back from the tables
//! (*adopted*), so what is already right is never written.

mod boot;
mod causes;
mod closed;
mod data_plane;
pub mod generation;
mod lower;
pub mod migration;
mod object;
mod size;
pub mod tables;
pub mod tally;

pub use data_plane::{
    Applied, ApplyError, Config, DataPlane, Flows, Freed, How, Laid, Look, Looked, Report, Reusable,
    Standing, StartError, Started,
};
pub use evermesh_pins::layout::ObjectError as LayoutError;
pub use lower::{
    Census, Edges, Lowered, LoweredEndpoint, LoweredPort, MemberChange, Turns, Weighing, lower, lower_all,
    lower_members,
};
pub use object::{Misfit, Object, Part};
pub use size::TableSizes;
