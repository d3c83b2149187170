use evermesh_model::UnusableAddress;

use crate::Kind;

/// Why a resource is refused. What was known under its name before stays.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InvalidResource {
    /// The bytes are no message.
    #[error("cannot be decoded: {0}")]
    Bytes(#[from] prost::DecodeError),
    /// A message of another type.
    #[error("is a `{found}`, and {wanted} was subscribed to")]
    Type {
        /// Its type URL.
        found: String,
        /// What it should be.
        wanted: Kind,
    },
    /// There is none.
    #[error("comes without a resource")]
    Empty,
    /// It is not the one that its name says.
    #[error("says of itself that it is `{own}`")]
    Name {
        /// The name that follows from its fields.
        own: String,
    },
    /// A field that must be there.
    #[error("lacks {0}")]
    Missing(&'static str),
    /// A field that cannot be what it is.
    #[error("field {field}: {reason}")]
    Field {
        /// Path of the field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An address that nothing can have.
    #[error("field {field}: `{address}` cannot be used: {reason}")]
    Address {
        /// Path of the field.
        field: &'static str,
        /// The address.
        address: std::net::IpAddr,
        /// What is wrong with it.
        reason: UnusableAddress,
    },
    /// The model does not take it.
    #[error("{0}")]
    Model(#[from] evermesh_model::InvalidSnapshot),
}

/// A field that cannot be what it is.
pub(super) fn wrong(field: &'static str, reason: impl Into<String>) -> InvalidResource {
    InvalidResource::Field { field, reason: reason.into() }
}

/// A number of an enum that decides what becomes of traffic.
pub(super) fn unknown(field: &'static str, number: i32) -> InvalidResource {
    wrong(field, format!("{number} is not known to this release of Evermesh: upgrade it"))
}
