use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// How a flow takes one of a service's endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// At random, by weight.
    #[default]
    Random,
    /// In turns by weight, on each CPU of each node by itself.
    RoundRobin,
    /// By the client's address: the same client keeps to the same endpoint, on every node, and when one endpoint of
    /// many comes or goes few clients move. A consistent hash with Maglev's tables.
    Maglev,
}

/// What a workload may share with this node: Istio's load balancing scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Region of the locality.
    Region,
    /// Zone of the locality.
    Zone,
    /// Subzone of the locality.
    Subzone,
    /// Kubernetes node.
    Node,
    /// Kubernetes cluster.
    Cluster,
    /// Network.
    Network,
}

/// What the scopes of a service decide: Istio's load balancing modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Nothing: every endpoint may be taken.
    #[default]
    Standard,
    /// Only endpoints that share every scope may be taken.
    Strict,
    /// The endpoints that share most scopes, counted from the first to the first that differs, are taken.
    Failover,
    /// The service is not balanced: its traffic is left alone.
    Passthrough,
}

/// Which endpoints their health excludes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthPolicy {
    /// Unhealthy ones; where none is healthy, connections are refused.
    #[default]
    OnlyHealthy,
    /// Unhealthy ones; where none is healthy, all are taken.
    PreferHealthy,
    /// None.
    AllowAll,
}

/// How the flows to a service are shared out among the workloads behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balancing {
    /// How a flow takes an endpoint.
    pub algorithm: Algorithm,
    /// What the scopes decide.
    pub mode: Mode,
    /// In descending order of importance.
    pub scopes: Vec<Scope>,
    /// Which endpoints their health excludes.
    pub health_policy: HealthPolicy,
    /// Shares of revisions (canaries), each once; empty: revisions do not matter. Workloads of other revisions get
    /// nothing. The share of a revision that no endpoint is left of goes to the others.
    pub split: Vec<(SmolStr, u32)>,
}
