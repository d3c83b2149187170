//! What Evermesh says about itself, as far as tests ask.

use std::{fs, net::IpAddr, path::Path};

use serde::Deserialize;

/// What of `supervisor.json` tells when an agent serves.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub pid: i32,
    pub agent_pid: Option<i32>,
    pub phase: String,
}

impl State {
    pub(super) fn read(run_dir: &Path) -> Option<Self> {
        let text = fs::read_to_string(run_dir.join("supervisor.json")).ok()?;
        serde_json::from_str(&text).ok()
    }
}

/// `status`.
#[derive(Debug, Deserialize)]
pub(super) struct Status {
    pub refused: Option<Refusal>,
    pub data_path: DataPath,
    pub agent: Agent,
    pub control_plane: Option<ControlPlaneSeen>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Agent {
    pub notes: Vec<String>,
}

/// A control plane as the node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ControlPlaneSeen {
    /// `connected`, `connecting` or `lost`.
    pub phase: String,
    /// When all that is known was last known to be what it says: milliseconds since 1970.
    pub synced_unix_ms: Option<u64>,
    /// How long ago that was.
    pub synced_age_ms: Option<u64>,
    /// Why there is no stream.
    pub reason: Option<String>,
    /// Responses that traffic obeys.
    pub acks: u64,
    /// Responses that it does not obey altogether.
    pub nacks: u64,
    /// Why the last of these.
    pub last_nack: Option<String>,
    /// Why what it says is not on disk.
    pub unkept: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DataPath {
    pub generation: Option<u32>,
    pub writes: Option<u64>,
}

/// Why the mesh's file is not in force.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// What is wrong, one problem a line.
    pub reason: String,
}

/// `dump endpoints`.
#[derive(Debug, Deserialize)]
pub(super) struct Dump {
    pub endpoints: Vec<DumpedEndpoint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct DumpedEndpoint {
    #[serde(flatten)]
    pub endpoint: MeshEndpoint,
    /// None: it is on its way in or out.
    pub slots: usize,
}

/// A pod's port behind a service's port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct MeshEndpoint {
    /// The service.
    pub service: String,
    /// Its port.
    pub service_port: u16,
    /// The pod.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
}
