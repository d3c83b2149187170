//! A mesh from files, in ztunnel's local configuration format.
//!
//! [`read`] gives the bytes and their digest, [`Raw::parse`] the mesh, [`Watch`] tells when to read again. A
//! source is taken as a whole or refused as a whole; what is refused is said with file, line and field.

mod balancing;
mod claims;
mod collection;
mod document;
mod error;
mod fields;
mod files;
mod gateway;
mod json;
mod mesh;
mod path;
mod policy;
mod problem;
mod raw;
mod report;
mod service;
mod value;
mod watch;
mod workload;
mod yaml;

use std::path::PathBuf;

use evermesh_model::Snapshot;

pub use error::SourceError;
pub use problem::{Problem, Problems};
pub use raw::{Raw, read};
pub use watch::Watch;

/// A mesh that was read, and what there is to know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The mesh.
    pub snapshot: Snapshot,
    /// SHA-256 over the names and bytes of the files.
    pub digest: [u8; 32],
    /// What a user should know though it is not wrong, each with file and line.
    pub warnings: Vec<String>,
    /// The files it came from, in the order they were read.
    pub files: Vec<PathBuf>,
}
