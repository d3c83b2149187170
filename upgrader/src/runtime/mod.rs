//! What a supervisor does, done: processes, sockets, signals, files, and the loop that feeds the
//! [`Machine`](crate::machine::Machine).

mod agent;
mod connections;
mod directories;
mod keeper;
mod lock;
mod report;
mod seat;
mod signals;
mod start;
mod supervisor;
mod tether;
mod wait;

pub use directories::prepare;
pub use start::run;
