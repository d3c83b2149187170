//! Durable records. Knows no mesh types: what is in a record is its owner's business.

pub mod local;
