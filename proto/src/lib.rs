//! Generated code only, and where it is spoken.

/// The agent's own interface.
pub mod admin {
    /// Name of the unix socket in the run directory on which the agent serves it, mode 0600.
    pub const SOCKET: &str = "agent.sock";
    /// Name of the file in the run directory that holds the agent's last [`v1::Status`], encoded: it outlives the
    /// agent.
    pub const LAST_STATUS: &str = "agent.status";

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
