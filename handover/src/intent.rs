use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::replace;

const FILE: &str = "intent";
const HEAD: &str = "evermesh-intent 0 ";

/// Why a process ends, which says what happens to the data path. Anything unproven means [`Intent::Restart`]:
/// a word that this release does not know, a file that is missing or damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum Intent {
    /// It comes back: the data path is kept.
    #[default]
    Restart,
    /// The user removes Evermesh: the only intent that allows the data path to be removed.
    Uninstall,
}

/// What [`Intent::recorded`] found.
#[derive(Debug)]
pub struct RecordedIntent {
    /// What to act on.
    pub intent: Intent,
    /// Why the file was not believed; `intent` is [`Intent::Restart`] then.
    pub warning: Option<IntentError>,
}

/// Why the record of an intent could not be written, removed or believed.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// The file cannot be replaced.
    #[error(
        "cannot record the intent `{intent}` in {path}: {source}; check that the state directory is writable"
    )]
    Record {
        /// What should have been recorded.
        intent: Intent,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be removed.
    #[error("cannot remove the recorded intent {path}: {source}; check that the state directory is writable")]
    Clear {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the recorded intent {path}: {source}; taken as `restart`, the data path is kept")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else than an intent.
    #[error("the recorded intent {path} is damaged; taken as `restart`, the data path is kept")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl Intent {
    const ALL: [Self; 2] = [Self::Restart, Self::Uninstall];

    /// The word for it, on the wire, on disk and for users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Uninstall => "uninstall",
        }
    }

    /// Writes the intent into the state directory; when this returns, it survives a power cut.
    pub fn record(self, state_dir: &Path) -> Result<(), IntentError> {
        let path = state_dir.join(FILE);
        replace::replace_durably(&path, self.line().as_bytes()).map_err(|source| IntentError::Record {
            intent: self,
            path,
            source,
        })
    }

    /// Reads the intent that was recorded last; never fails, because a start must not hang on it.
    pub fn recorded(state_dir: &Path) -> RecordedIntent {
        match Self::read(state_dir.join(FILE)) {
            Ok(intent) => RecordedIntent { intent, warning: None },
            Err(warning) => RecordedIntent { intent: Self::Restart, warning: Some(warning) },
        }
    }

    /// Removes the record, if there is one; when this returns, the removal survives a power cut.
    pub fn clear(state_dir: &Path) -> Result<(), IntentError> {
        let path = state_dir.join(FILE);
        match fs::remove_file(&path).and_then(|()| replace::sync_parent(&path)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(IntentError::Clear { path, source })
            }
            _ => Ok(()),
        }
    }

    fn read(path: PathBuf) -> Result<Self, IntentError> {
        match fs::read(&path) {
            Ok(content) => Self::from_line(&content).ok_or(IntentError::Damaged { path }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(Self::Restart),
            Err(source) => Err(IntentError::Read { path, source }),
        }
    }

    /// The whole content of the file. It needs no checksum: no two lines are within a torn write or a few
    /// flipped bits of each other, and only these two are believed.
    fn line(self) -> String {
        format!("{HEAD}{self}\n")
    }

    fn from_line(content: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|intent| intent.line().as_bytes() == content)
    }
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Intent> for String {
    fn from(intent: Intent) -> Self {
        intent.as_str().into()
    }
}

impl From<String> for Intent {
    fn from(word: String) -> Self {
        Self::ALL.into_iter().find(|intent| intent.as_str() == word).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_recorded_is_read_until_it_is_cleared() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()), (Intent::Restart, false));
        for intent in Intent::ALL {
            intent.record(dir.path()).unwrap();
            assert_eq!(read(dir.path()), (intent, false));
        }
        Intent::clear(dir.path()).unwrap();
        assert_eq!(read(dir.path()), (Intent::Restart, false));
        Intent::clear(dir.path()).unwrap();
    }

    #[test]
    fn an_unreadable_file_means_restart_and_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FILE)).unwrap();
        assert_eq!(read(dir.path()), (Intent::Restart, true));
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named() {
        let error = Intent::Uninstall.record(Path::new("/proc/no-such-place")).unwrap_err();
        insta::assert_snapshot!(error, @"cannot record the intent `uninstall` in /proc/no-such-place/intent: No such file or directory (os error 2); check that the state directory is writable");
    }

    #[test]
    fn an_unknown_word_on_the_wire_means_restart() {
        assert_eq!(serde_json::from_str::<Intent>("\"explode\"").unwrap(), Intent::Restart);
        assert_eq!(serde_json::to_string(&Intent::Uninstall).unwrap(), "\"uninstall\"");
    }

    proptest! {
        #[test]
        fn a_cut_or_flipped_file_never_means_uninstall(at in 0usize..27, flip in 0u8..8) {
            let mut content = Intent::Uninstall.line().into_bytes();
            prop_assert_eq!(Intent::from_line(&content[..at]), None);
            content[at] ^= 1 << flip;
            prop_assert_eq!(Intent::from_line(&content), None);
        }
    }

    fn read(dir: &Path) -> (Intent, bool) {
        let recorded = Intent::recorded(dir);
        (recorded.intent, recorded.warning.is_some())
    }
}
