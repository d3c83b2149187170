use std::{collections::BTreeMap, fmt, fs, io, path::Path, sync::Arc};

use evermesh_pins::{
    Table,
    layout::{self, Description, ObjectError},
};
use sha2::{Digest, Sha256};

/// One of the eBPF objects of a release: the same hooks over other maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What runs between two changes: this release's layouts.
    Current,
    /// The bridge: the layouts of the release before are primary, and this release's are filled beside them.
    Up,
    /// The bridge back: this release's layouts are primary, and those of the release before are filled beside them.
    Down,
    /// The bridge between two maps of this release's layouts.
    Level,
    /// This release's hooks over the layouts of the release before.
    Before,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Current, Self::Up, Self::Down, Self::Level, Self::Before];

    /// Name of its file.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Current => "current.bpf.o",
            Self::Up => "up.bpf.o",
            Self::Down => "down.bpf.o",
            Self::Level => "level.bpf.o",
            Self::Before => "before.bpf.o",
        }
    }

    fn embedded(self) -> &'static [u8] {
        match self {
            Self::Current => aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/current.bpf.o")),
            Self::Up => aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/up.bpf.o")),
            Self::Down => aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/down.bpf.o")),
            Self::Level => aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/level.bpf.o")),
            Self::Before => aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/before.bpf.o")),
        }
    }
}

/// Kernel programs of a release and the layouts of their maps: an eBPF object of each [`Part`].
#[derive(Clone)]
pub struct Object {
    /// In the order of [`Part::ALL`].
    parts: [Option<Bytes>; 5],
    digest: [u8; 32],
}

#[derive(Clone)]
enum Bytes {
    Embedded(&'static [u8]),
    Read(Arc<[u8]>),
}

impl Bytes {
    fn get(&self) -> &[u8] {
        match self {
            Self::Embedded(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

impl Object {
    /// The objects in a directory, each in its [`Part::file`], instead of those that are built in. Only the current one must be
    /// there; a file is a current one alone.
    pub fn read(path: &Path) -> io::Result<Self> {
        let read = |path: &Path| fs::read(path).map(|bytes| Bytes::Read(bytes.into()));
        if !path.is_dir() {
            return Ok(Self::new([Some(read(path)?), None, None, None, None]));
        }
        let mut parts = Part::ALL.map(|_| None);
        for (part, bytes) in Part::ALL.into_iter().zip(&mut parts) {
            let path = path.join(part.file());
            if part == Part::Current || path.exists() {
                *bytes = Some(read(&path)?);
            }
        }
        Ok(Self::new(parts))
    }

    fn new(parts: [Option<Bytes>; 5]) -> Self {
        let mut digest = Sha256::new();
        for (part, bytes) in Part::ALL.into_iter().zip(&parts) {
            let Some(bytes) = bytes else { continue };
            digest.update(part.file());
            digest.update(Sha256::digest(bytes.get()));
        }
        Self { parts, digest: digest.finalize().into() }
    }

    /// The bytes of the current part.
    pub fn bytes(&self) -> &[u8] {
        self.part(Part::Current).unwrap_or_default()
    }

    /// The bytes of a part, if there is one.
    pub fn part(&self, part: Part) -> Option<&[u8]> {
        let at = Part::ALL.into_iter().position(|it| it == part)?;
        self.parts.get(at)?.as_ref().map(Bytes::get)
    }

    /// Identity of a part: of the current one, that of the whole release.
    pub fn identity(&self, part: Part) -> [u8; 32] {
        match part {
            Part::Current => self.digest,
            other => Sha256::new().chain_update(self.digest).chain_update(other.file()).finalize().into(),
        }
    }

    /// Every map that it makes, field by field.
    pub fn layouts(&self) -> Result<BTreeMap<Table, Description>, ObjectError> {
        layout::of_object(self.bytes(), Table::symbol)
    }

    /// The same of the maps that the release before makes. Without that part they are this release's: there are no others that
    /// it could step down to.
    pub fn layouts_before(&self) -> Result<BTreeMap<Table, Description>, ObjectError> {
        let before = |bytes| layout::of_object(bytes, Table::symbol_before);
        self.part(Part::Before).map_or_else(|| self.layouts(), before)
    }

    /// Whether its maps are those that this release reads and writes. Those of the one that is built in are.
    pub fn fits(&self) -> Result<(), Misfit> {
        let [Some(Bytes::Read(_)), ..] = self.parts else { return Ok(()) };
        let differs = |(table, found): &(&Table, &Description)| !found.is_like(&table.description());
        if let Some((&table, _)) = self.layouts()?.iter().find(differs) {
            return Err(Misfit::Other(table));
        }
        let Some(before) = self.part(Part::Before) else { return Ok(()) };
        let differs = |(table, found): &(&Table, &Description)| !found.is_like(&table.description_before());
        match layout::of_object(before, Table::symbol_before)?.iter().find(differs) {
            Some((&table, _)) => Err(Misfit::Before(table)),
            None => Ok(()),
        }
    }

    /// SHA-256 over all parts: which programs these are.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// Why an eBPF object is not one of this release.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// It does not say its layouts.
    #[error(transparent)]
    Unknown(#[from] ObjectError),
    /// A map has other fields.
    #[error("its map {0} has other fields than this release reads and writes")]
    Other(Table),
    /// A map of the release before has other fields.
    #[error("its map {0} of the release before has other fields than this release knows of it")]
    Before(Table),
}

impl Default for Object {
    /// The one that is built in.
    fn default() -> Self {
        Self::new(Part::ALL.map(|part| Some(Bytes::Embedded(part.embedded()))))
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({:02x?}..)", &self.digest[..4])
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::{Object, Part};

    #[test]
    fn a_release_has_five_parts_that_differ() {
        let object = Object::default();
        let parts: BTreeSet<&[u8]> = Part::ALL.iter().map(|&part| object.part(part).unwrap()).collect();
        assert_eq!(parts.len(), 5);
    }

    #[test]
    fn what_is_read_from_a_directory_is_what_was_built_in_and_each_part_counts() {
        let (built_in, dir) = (Object::default(), tempfile::tempdir().unwrap());
        for part in Part::ALL {
            fs::write(dir.path().join(part.file()), built_in.part(part).unwrap()).unwrap();
        }
        assert_eq!(Object::read(dir.path()).unwrap().digest(), built_in.digest());
        fs::write(dir.path().join(Part::Down.file()), "another").unwrap();
        assert_ne!(Object::read(dir.path()).unwrap().digest(), built_in.digest());
        fs::remove_file(dir.path().join(Part::Current.file())).unwrap();
        assert!(Object::read(dir.path()).is_err());
    }

    #[test]
    fn a_file_is_a_current_part_alone() {
        let (built_in, dir) = (Object::default(), tempfile::tempdir().unwrap());
        let path = dir.path().join("programs.bpf.o");
        fs::write(&path, built_in.bytes()).unwrap();
        let object = Object::read(&path).unwrap();
        assert_eq!((object.bytes(), object.part(Part::Up)), (built_in.bytes(), None));
    }
}
