use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// An authorization policy. Kept whole and shown, **not enforced**: nothing in this crate reads its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Name, unique in its namespace.
    pub name: SmolStr,
    /// Kubernetes namespace.
    pub namespace: SmolStr,
    /// Which workloads it is meant for.
    pub scope: PolicyScope,
    /// What is meant to happen to a connection that matches.
    pub action: PolicyAction,
    /// Whether it was only ever meant to be reported.
    pub dry_run: bool,
    /// The rules as the source wrote them: any rule of all clauses of any match.
    pub rules: serde_json::Value,
}

/// Which workloads a policy is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyScope {
    /// All of the mesh.
    Global,
    /// All in the policy's namespace.
    Namespace,
    /// Those that name the policy.
    WorkloadSelector,
}

/// What is meant to happen to a connection that matches a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyAction {
    /// It is let through.
    Allow,
    /// It is refused.
    Deny,
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Display for PolicyAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        })
    }
}
