use serde::{Deserialize, Serialize};

/// An authorization policy. Kept and shown, not enforced yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Name.
    pub name: String,
    /// Kubernetes namespace.
    pub namespace: String,
}
