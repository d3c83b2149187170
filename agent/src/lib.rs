//! The node agent: configuration to kernel tables.

pub mod source;
