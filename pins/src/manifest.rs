use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use crate::{
    Hook, Layout, Table,
    sys::{self, WordArray},
};

/// What belongs to a generation, pinned with it and written last: a generation without one is unfinished. An array of
/// 64-bit words that user space can only read once it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The generation's number.
    pub generation: u32,
    /// SHA-256 of the eBPF object that was loaded.
    pub object: [u8; 32],
    /// Its tables.
    pub tables: BTreeMap<Table, TableEntry>,
    /// Its programs.
    pub hooks: BTreeMap<Hook, HookEntry>,
    /// Names of the elements of its `counters`, by index; none: it was made by a release that did not say them.
    pub counters: Vec<String>,
}

/// A table as a manifest records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// The kernel's id of the map.
    pub id: u32,
    /// [`crate::Layout::hash`], the revision included.
    pub layout: u64,
    /// Its size.
    pub max_entries: u32,
}

impl TableEntry {
    /// Revisions that a manifest may speak of.
    const REVISIONS: std::ops::RangeInclusive<u32> = 1..=255;

    /// The revision of a table of which the kernel tells this layout; none: the manifest was not written for such a map.
    pub fn revision(&self, found: &Layout) -> Option<u32> {
        let layout = |revision| Layout { revision, ..*found };
        Self::REVISIONS.into_iter().find(|&revision| layout(revision).hash() == self.layout)
    }
}

/// A program as a manifest records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookEntry {
    /// The kernel's id of the program.
    pub id: u32,
    /// Its tag.
    pub tag: u64,
}

/// Why a manifest was not written or read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The system call failed.
    #[error("cannot {step} {}: {source}", path.display())]
    Io {
        /// What was tried.
        step: &'static str,
        /// The pin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The words are not those of a manifest that this release can read.
    #[error("{} is not a manifest of this release: {reason}", path.display())]
    Foreign {
        /// The pin.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

const MAGIC: u64 = u64::from_be_bytes(*b"evermesh");
const REVISION: u64 = 1;
const WORDS: u32 = 128;
/// Magic, revision, generation, four words of digest; then three words a table, then two a hook, then the names of counters: text,
/// separated by spaces, up to the first zero.
const TABLES_AT: u32 = 7;
const HOOKS_AT: u32 = TABLES_AT + 3 * 16;
const COUNTERS_AT: u32 = HOOKS_AT + 2 * 16;

impl Manifest {
    /// Pins the manifest at `path`. When this returns, the generation is complete.
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        let failed = |step| move |source| ManifestError::Io { step, path: path.to_owned(), source };
        let words = sys::array_create("manifest", WORDS).map_err(failed("make the map for"))?;
        sys::map_update_all(words.map().as_fd(), self.words().into_iter()).map_err(failed("fill"))?;
        sys::map_freeze(words.map().as_fd()).map_err(failed("freeze"))?;
        sys::object_pin(words.map().as_fd(), path).map_err(failed("pin"))
    }

    /// Reads the manifest in `map`, which was opened from `path`.
    pub fn read(map: OwnedFd, path: &Path) -> Result<Self, ManifestError> {
        let foreign = |reason: String| ManifestError::Foreign { path: path.to_owned(), reason };
        let failed = |source| ManifestError::Io { step: "read", path: path.to_owned(), source };
        let info = sys::map_info(map.as_fd()).map_err(failed)?;
        if !info.layout.has_bytes_of(&Table::Control.layout()) || info.max_entries != WORDS {
            return Err(foreign(format!("a {}", info.layout)));
        }
        let words = WordArray::new(map).all().map_err(failed)?;
        Self::from_words(&words).map_err(foreign)
    }

    fn words(&self) -> Vec<(u32, u64)> {
        let digest = self.object.chunks_exact(8).map(|c| c.try_into().map_or(0, u64::from_be_bytes));
        let head = [MAGIC, REVISION, self.generation.into()].into_iter().chain(digest);
        let tables = Table::OF_GENERATION.iter().flat_map(|table| {
            let entry = self.tables.get(table);
            entry.map_or([0; 3], |e| [e.id.into(), e.layout, e.max_entries.into()])
        });
        let hooks =
            Hook::ALL.iter().flat_map(|hook| self.hooks.get(hook).map_or([0; 2], |e| [e.id.into(), e.tag]));
        let names = self.counters.join(" ").into_bytes();
        let names = names.chunks(8).map(|bytes| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(word)
        });
        let names = (COUNTERS_AT..WORDS).zip(names);
        (0..).zip(head).chain((TABLES_AT..).zip(tables)).chain((HOOKS_AT..).zip(hooks)).chain(names).collect()
    }

    fn from_words(words: &[u64]) -> Result<Self, String> {
        let small = |word: u64| u32::try_from(word).map_err(|_| format!("{word} is no id"));
        if words[0] != MAGIC || words[1] != REVISION {
            return Err(format!("magic {:#x}, revision {}", words[0], words[1]));
        }
        let mut object = [0; 32];
        for (to, word) in object.chunks_exact_mut(8).zip(&words[3..TABLES_AT as usize]) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        let tables = Table::OF_GENERATION.into_iter().zip(words[TABLES_AT as usize..].chunks_exact(3));
        let tables = tables.map(|(table, word)| {
            Ok((table, TableEntry { id: small(word[0])?, layout: word[1], max_entries: small(word[2])? }))
        });
        let hooks = Hook::ALL.into_iter().zip(words[HOOKS_AT as usize..].chunks_exact(2));
        let hooks = hooks.map(|(hook, word)| Ok((hook, HookEntry { id: small(word[0])?, tag: word[1] })));
        let names = words[COUNTERS_AT as usize..].iter().flat_map(|word| word.to_be_bytes());
        let names = names.take_while(|byte| *byte != 0).collect();
        let names = String::from_utf8(names).map_err(|_| "counters without names".to_owned())?;
        Ok(Self {
            generation: small(words[2])?,
            object,
            tables: tables.collect::<Result<_, String>>()?,
            hooks: hooks.collect::<Result<_, String>>()?,
            counters: names.split_whitespace().map(str::to_owned).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use evermesh_abi::Counter;

    use super::*;

    #[test]
    fn the_revision_is_found_behind_the_hash() {
        let found = Layout { revision: 0, ..Table::Endpoints.layout() };
        let entry = |revision| {
            let layout = Layout { revision, ..found }.hash();
            TableEntry { id: 1, layout, max_entries: 1 }
        };
        assert_eq!(
            [1, 7, 255].map(|revision| entry(revision).revision(&found)),
            [Some(1), Some(7), Some(255)]
        );
        assert_eq!(entry(1).revision(&Layout { value_size: 40, ..found }), None);
        // As manifests have always had it.
        assert_eq!(Table::Endpoints.layout().hash(), 0x3abc_b745_0879_eada);
    }

    #[test]
    fn words_carry_every_field() {
        let entry = |n: u32| TableEntry { id: n, layout: u64::MAX - u64::from(n), max_entries: n * 3 };
        let manifest = Manifest {
            generation: 17,
            object: std::array::from_fn(|i| u8::try_from(i * 7).unwrap()),
            tables: (1..).zip(Table::OF_GENERATION).map(|(n, table)| (table, entry(n))).collect(),
            hooks: (1..).zip(Hook::ALL).map(|(n, hook)| (hook, HookEntry { id: n, tag: n.into() })).collect(),
            counters: Counter::ALL.map(|(_, name)| name.to_owned()).into(),
        };
        let mut words = vec![0; WORDS as usize];
        for (index, word) in manifest.words() {
            words[index as usize] = word;
        }
        assert_eq!(Manifest::from_words(&words), Ok(manifest.clone()));
        words[COUNTERS_AT as usize..].fill(0);
        assert_eq!(Manifest::from_words(&words), Ok(Manifest { counters: Vec::new(), ..manifest }));
    }

    #[test]
    fn every_counter_has_a_name_at_its_index() {
        let indices = Counter::ALL.map(|(counter, _)| counter as usize);
        assert!(indices.into_iter().eq(0..Counter::ALL.len()));
        assert!(Counter::ALL.iter().all(|(_, name)| !name.contains(char::is_whitespace)));
    }
}
