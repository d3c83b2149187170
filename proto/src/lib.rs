//! Generated code only.

/// The agent's own interface.
pub mod admin {
    /// Version 1.
    #[expect(
        missing_docs,
        clippy::allow_attributes_without_reason,
        reason = "generated code: its documentation is that of the .proto file"
    )]
    pub mod v1 {
        tonic::include_proto!("evermesh.admin.v1");
    }
}
