//! Generated code only, and where it is spoken.

/// The agent's own interface.
pub mod admin {
    /// Name of the unix socket in the run directory on which the agent serves it, mode 0600.
    pub const SOCKET: &str = "agent.sock";
    /// Name of the file in the run directory that holds the agent's last [`v1::Status`], encoded: it outlives the
    /// agent.
    pub const LAST_STATUS: &str = "agent.status";

    pub use crate::packages::evermesh::admin::v1;
}

/// How a client and a control plane speak: delta xDS.
pub mod discovery {
    pub use crate::packages::envoy::{
        config::core::v3::{ControlPlane, Node},
        service::discovery::v3::*,
    };
    pub use crate::packages::google::rpc::Status;
}

/// What Istio's control plane says of services and workloads.
pub mod workload {
    pub use crate::packages::istio::workload::*;

    /// Type URL of [`Address`].
    pub const ADDRESS: &str = "type.googleapis.com/istio.workload.Address";
}

/// What Istio's control plane says of who may speak with whom.
pub mod security {
    pub use crate::packages::istio::security::*;

    /// Type URL of [`Authorization`].
    pub const AUTHORIZATION: &str = "type.googleapis.com/istio.security.Authorization";
}

/// Nested as the packages are, since they refer to each other.
#[expect(
    missing_docs,
    clippy::large_enum_variant,
    clippy::allow_attributes_without_reason,
    reason = "generated code: its documentation is that of the .proto files"
)]
mod packages {
    pub mod evermesh {
        pub mod admin {
            pub mod v1 {
                tonic::include_proto!("evermesh.admin.v1");
            }
        }
    }

    pub mod envoy {
        pub mod config {
            pub mod core {
                pub mod v3 {
                    tonic::include_proto!("envoy.config.core.v3");
                }
            }
        }

        pub mod service {
            pub mod discovery {
                pub mod v3 {
                    tonic::include_proto!("envoy.service.discovery.v3");
                }
            }
        }
    }

    pub mod google {
        pub mod rpc {
            tonic::include_proto!("google.rpc");
        }
    }

    pub mod istio {
        pub mod workload {
            tonic::include_proto!("istio.workload");
        }

        pub mod security {
            tonic::include_proto!("istio.security");
        }
    }
}
