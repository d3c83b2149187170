use std::{env, fs, io, os::unix::fs::MetadataExt as _, path::Path};

use evermesh_loader::Laid;
use evermesh_state::local::SnapshotFile;
use serde::{Deserialize, Serialize};
use tracing::debug;

use crate::message;

/// What an agent laid last, and from what. The next one that finds the same source and the same tables knows that they are right
/// before it has read the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Digest of the source.
    pub digest: [u8; 32],
    pub laid: Laid,
    by: By,
}

/// Who else would lay something else from the same source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Where the node is decides who is preferred.
    node: String,
    /// The file of the program: device, inode, size, and when it was written.
    program: [i128; 4],
}

impl By {
    /// This agent, on this node.
    pub fn this(node: &str) -> io::Result<Self> {
        let file = fs::metadata(env::current_exe()?)?;
        let written = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
        let program = [file.dev().into(), file.ino().into(), file.size().into(), written];
        Ok(Self { node: node.to_owned(), program })
    }
}

/// The note on disk. It is no more than a help: where it is lost or wrong, a start takes longer.
#[derive(Clone, Debug)]
pub struct NoteFile {
    file: SnapshotFile,
    by: Option<By>,
}

impl NoteFile {
    const NAME: &str = "laid";

    pub fn new(state_dir: &Path, node: &str) -> Self {
        let by =
            By::this(node).inspect_err(|error| debug!(%error, "this program cannot be told from another"));
        Self { file: SnapshotFile::new(state_dir, Self::NAME), by: by.ok() }
    }

    /// What an agent like this one has noted.
    pub fn read(&self) -> Option<Note> {
        let bytes = self.file.read().ok()??;
        let note: Note = serde_json::from_slice(&bytes).ok()?;
        (Some(&note.by) == self.by.as_ref()).then_some(note)
    }

    pub fn write(&self, digest: [u8; 32], laid: Laid) {
        let Some(by) = self.by.clone() else { return };
        let written = serde_json::to_vec(&Note { digest, laid, by })
            .map_err(|error| error.to_string())
            .and_then(|bytes| self.file.write(&bytes).map_err(|error| message::of(&error)));
        if let Err(reason) = written {
            debug!(reason, "what was laid is not noted: the next start takes longer");
        }
    }
}
