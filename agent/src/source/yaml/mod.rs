//! YAML as values that know their lines.

mod node;
mod reader;

pub(super) use node::{Entry, Node, Plain, Value};
pub(super) use reader::{Fault, Reader};
