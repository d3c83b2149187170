use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Snapshot;

/// The configuration that was applied last, as it is kept on disk: with it an agent starts without its source, and
/// the command line knows names without an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastApplied {
    /// Where it came from.
    pub source: PathBuf,
    /// SHA-256 of the source when it was read.
    pub digest: [u8; 32],
    /// When it was applied: wall clock, milliseconds since 1970.
    pub applied_unix_ms: u64,
    /// What a user should know though it is not wrong.
    pub warnings: Vec<String>,
    /// The mesh.
    pub snapshot: Snapshot,
}

impl LastApplied {
    /// Name of the record in the state directory.
    pub const RECORD: &str = "last-applied";

    /// As bytes, for a record.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// From the bytes of a record. The mesh is checked again.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn it_survives_being_written_and_read() {
        let snapshot = Snapshot::new([samples::service("web", &["10.96.0.10"])], [], []).unwrap();
        let source = PathBuf::from("/etc/mesh.yaml");
        let warnings = vec!["a warning".to_owned()];
        let record = LastApplied { source, digest: [7; 32], applied_unix_ms: 1, warnings, snapshot };
        assert_eq!(LastApplied::decode(&record.encode().unwrap()).unwrap(), record);
    }
}
