use std::{
    fs, io,
    path::{Path, PathBuf},
};

use evermesh_handover::replace::{replace_durably, sync_parent};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Digest, Ledger, Store, unix_ms};

const NAME: &str = "ledger.json";
/// How the extension of one that was set aside begins; the time follows.
const DAMAGED: &str = "damaged-";
/// Enough to see a pattern, too few to fill a disk.
const KEPT: usize = 4;

/// `ledger.json` in a store: replaced as a whole, and believed only with its checksum.
#[derive(Clone, Debug)]
pub struct LedgerFile {
    path: PathBuf,
}

/// Why a ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It is not what was written.
    #[error("the ledger of releases {path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// It cannot be read.
    #[error(
        "cannot read the ledger of releases {path}: {source}; try again when the disk answers, or move the file away to begin with the \
         release that is started"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It cannot be replaced.
    #[error("cannot write the ledger of releases {path}: {source}; make room in the state directory")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[derive(Serialize, Deserialize)]
struct Content {
    /// Of `ledger` as compact JSON with sorted names.
    sha256: Digest,
    ledger: Value,
}

impl LedgerFile {
    /// That of a store.
    pub fn of(store: &Store) -> Self {
        Self { path: store.dir().join(NAME) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was written last; none: nothing ever was.
    pub fn read(&self) -> Result<Option<Ledger>, LedgerError> {
        match fs::read(&self.path) {
            Ok(content) => decode(&content)
                .map(Some)
                .map_err(|what| LedgerError::Damaged { path: self.path.clone(), what }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LedgerError::Read { path: self.path.clone(), source }),
        }
    }

    /// Replaces it; when this returns, the new content survives a power cut.
    pub fn write(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        let written = encode(ledger).and_then(|content| replace_durably(&self.path, &content));
        written.map_err(|source| LedgerError::Write { path: self.path.clone(), source })
    }

    /// Puts a damaged one out of the way, for whoever wants to know. Keeps the last four.
    pub fn set_aside(&self) -> Result<PathBuf, LedgerError> {
        let now = unix_ms();
        let aside = self.path.with_added_extension(format!("{DAMAGED}{now}"));
        let renamed = fs::rename(&self.path, &aside)
            .and_then(|()| self.forget_oldest_but(now))
            .and_then(|()| sync_parent(&aside));
        renamed.map_err(|source| LedgerError::Write { path: self.path.clone(), source })?;
        Ok(aside)
    }

    /// The clock may have been set back: the latest one need not have the latest time.
    fn forget_oldest_but(&self, latest: u64) -> io::Result<()> {
        let mut times = self.times_of_damaged()?;
        times.retain(|time| *time != latest);
        let surplus = times.len().saturating_sub(KEPT - 1);
        let place = |time| self.path.with_added_extension(format!("{DAMAGED}{time}"));
        times[..surplus].iter().try_for_each(|time| fs::remove_file(place(time)))
    }

    /// Ascending.
    fn times_of_damaged(&self) -> io::Result<Vec<u64>> {
        let prefix = format!("{NAME}.{DAMAGED}");
        let entries: Vec<_> =
            fs::read_dir(self.path.parent().unwrap_or(Path::new(".")))?.collect::<io::Result<_>>()?;
        let time = |entry: &fs::DirEntry| entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok();
        let mut times: Vec<u64> = entries.iter().filter_map(time).collect();
        times.sort_unstable();
        Ok(times)
    }
}

fn encode(ledger: &Ledger) -> io::Result<Vec<u8>> {
    let ledger = serde_json::to_value(ledger)?;
    let content = Content { sha256: checksum(&ledger)?, ledger };
    let mut bytes = serde_json::to_vec_pretty(&content)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The checksum is over what stands there, so fields of later releases do not hinder this one.
fn decode(content: &[u8]) -> Result<Ledger, String> {
    let Content { sha256, ledger } = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    match checksum(&ledger) {
        Ok(found) if found == sha256 => {}
        Ok(_) => return Err("its checksum is another one".into()),
        Err(error) => return Err(error.to_string()),
    }
    serde_json::from_value(ledger).map_err(|error| error.to_string())
}

fn checksum(ledger: &Value) -> serde_json::Result<Digest> {
    serde_json::to_vec(ledger).map(Digest::of)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Ledger {
        let mut ledger = Ledger::new(Digest::of("a"), Digest::of("a"), None);
        ledger.begin(Digest::of("b"), 3);
        ledger.try_begins(Default::default());
        ledger.fail("exit status: 1", 5);
        ledger
    }

    #[test]
    fn what_was_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::of(dir.path());
        store.make().unwrap();
        let file = LedgerFile::of(&store);
        assert_eq!(file.read().unwrap(), None);
        file.write(&sample()).unwrap();
        assert_eq!(file.read().unwrap(), Some(sample()));
    }

    #[test]
    fn the_last_four_that_were_damaged_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::of(dir.path());
        store.make().unwrap();
        let file = LedgerFile::of(&store);
        let earlier = [1, 20, 3, 100].map(|time| file.path().with_added_extension(format!("damaged-{time}")));
        let other = file.path().with_added_extension("damaged-by-me");
        for path in earlier.iter().chain([&other, &file.path]) {
            fs::write(path, "damaged").unwrap();
        }
        let aside = file.set_aside().unwrap();
        let stands = |path: &PathBuf| path.exists();
        assert_eq!(earlier.each_ref().map(stands), [false, true, true, true]);
        assert!(aside.exists() && other.exists() && !file.path.exists());
    }

    #[test]
    fn what_was_just_set_aside_is_kept_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::of(dir.path());
        store.make().unwrap();
        let file = LedgerFile::of(&store);
        let later = [1, 2, 3, 4].map(|time| u64::MAX - time);
        for time in later {
            fs::write(file.path().with_added_extension(format!("damaged-{time}")), "damaged").unwrap();
        }
        fs::write(file.path(), "damaged").unwrap();
        let aside = file.set_aside().unwrap();
        assert_eq!((aside.exists(), file.times_of_damaged().unwrap().len()), (true, KEPT));
    }

    #[test]
    fn a_field_of_a_later_release_is_no_damage() {
        let mut ledger = serde_json::to_value(sample()).unwrap();
        ledger["new"] = 1.into();
        let content = Content { sha256: checksum(&ledger).unwrap(), ledger };
        assert_eq!(decode(&serde_json::to_vec(&content).unwrap()).unwrap(), sample());
    }

    proptest! {
        #[test]
        fn a_cut_or_flipped_ledger_is_never_another_one(at in any::<prop::sample::Index>(), flip in 0u8..8) {
            let mut content = encode(&sample()).unwrap();
            let at = at.index(content.len());
            // Without its last line feed it is whole.
            prop_assume!(at < content.len() - 2);
            prop_assert!(decode(&content[..at]).is_err());
            content[at] ^= 1 << flip;
            prop_assert!(decode(&content).ok().is_none_or(|read| read == sample()));
        }
    }
}
