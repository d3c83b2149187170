use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Digest, Layouts};

/// What `release.json` says: written last, so a directory without it is no release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Over names, sizes and contents of the programs.
    pub digest: Digest,
    /// By name.
    pub programs: BTreeMap<String, Program>,
    /// Wall clock, milliseconds since 1970.
    pub staged_unix_ms: u64,
    /// What its agent says of the maps that it makes; none: it says nothing, or was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layouts: Option<Layouts>,
}

/// One file of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// In bytes.
    pub size: u64,
    /// Of its content.
    pub digest: Digest,
    /// What it answers to `--version`.
    pub version: String,
}

/// The digest of a release with these programs: name, size and digest of the content of each.
pub fn digest_of<'a>(programs: impl Iterator<Item = (&'a str, u64, Digest)>) -> Digest {
    let mut words = Vec::new();
    for (name, size, content) in programs {
        words.extend_from_slice(name.as_bytes());
        words.push(0);
        words.extend_from_slice(&size.to_le_bytes());
        words.extend_from_slice(content.bytes());
    }
    Digest::of(words)
}

impl Release {
    /// What its agent calls itself.
    pub fn version(&self) -> &str {
        self.programs.get(super::AGENT).map_or("", |agent| agent.version.as_str())
    }

    /// Its digest follows from what it says of its programs.
    pub fn is_whole(&self) -> bool {
        let programs = self.programs.iter().map(|(name, it)| (name.as_str(), it.size, it.digest));
        let names: Vec<_> = self.programs.keys().map(String::as_str).collect();
        names == super::PROGRAMS && digest_of(programs) == self.digest
    }
}
