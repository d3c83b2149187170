use std::{collections::BTreeMap, path::PathBuf};

use evermesh_handover::message::Releases;
use serde::{Serialize, Serializer};

use super::control_plane::ControlPlaneView;
use crate::command::pod::{PodOutsideView, PodView};

/// What `status` shows. Field names stay.
#[derive(Debug, Serialize)]
pub struct StatusView {
    pub health: Health,
    pub problems: Vec<String>,
    pub supervisor: SupervisorView,
    pub agent: AgentView,
    /// The releases that the supervisor keeps; null: it keeps none, or said nothing.
    pub releases: Option<Releases>,
    pub data_path: DataPathView,
    pub configuration: Option<ConfigurationView>,
    pub refused: Option<RefusedView>,
    pub control_plane: Option<ControlPlaneView>,
    pub pods: Vec<PodView>,
    pub pods_outside: Vec<PodOutsideView>,
    #[serde(serialize_with = "as_object")]
    pub counters: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing needs attention.
    Healthy,
    /// Something does: see the problems.
    Degraded,
    /// Nothing of Evermesh is on this node.
    Absent,
}

#[derive(Debug, Serialize)]
pub struct SupervisorView {
    pub state: &'static str,
    pub pid: Option<u32>,
    pub release: Option<String>,
    pub started_unix_ms: Option<u64>,
    pub uptime_ms: Option<u64>,
    /// Where the agent is in its life, as the supervisor sees it.
    pub phase: Option<String>,
    /// How often the agent was replaced, by cause.
    pub restarts: BTreeMap<String, u64>,
    pub last_exit: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct AgentView {
    pub state: &'static str,
    pub pid: Option<u32>,
    pub release: Option<String>,
    pub started_unix_ms: Option<u64>,
    pub heartbeat_age_ms: Option<u64>,
    /// Name of the node, as it was told.
    pub node: Option<String>,
    pub notes: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct DataPathView {
    pub generation: Option<u32>,
    /// How the agent came to it.
    pub how: Option<String>,
    pub hooks_attached: usize,
    pub hooks: usize,
    pub cgroup: Option<PathBuf>,
    pub phase: Option<u64>,
    /// How long the agent may be silent before new flows are left alone; null: for ever.
    pub lease_ms: Option<u64>,
    pub writes: Option<u64>,
    pub drifts: Option<u64>,
    pub drifted_unix_ms: Option<u64>,
    pub findings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct ConfigurationView {
    pub source: String,
    pub digest: String,
    pub applied_unix_ms: u64,
    pub age_ms: u64,
    pub services: u32,
    pub workloads: u32,
    /// Not known from the disk alone.
    pub endpoints: Option<u32>,
    pub policies_not_enforced: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct RefusedView {
    pub reason: String,
    pub at_unix_ms: u64,
    pub age_ms: u64,
}

fn as_object<S: Serializer>(pairs: &[(String, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}
