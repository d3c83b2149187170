use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use evermesh_abi::Enrolled;

use super::{EnrolmentError, Pod};
use crate::{
    FrozenMapError, MapPin, Table, frozen_map,
    layout::{Copies, Description, Kernel, Translation},
    sys::{self, RawMap},
};

/// The map `enrolled`, or one that is to take its place: of this release's layout, or of another one, whose entries are read
/// and written field by field, by name.
#[derive(Debug)]
pub struct PodMap {
    pin: MapPin,
    path: PathBuf,
    /// None: it has this release's layout.
    ways: Option<Ways>,
}

#[derive(Debug)]
struct Ways {
    read: Translation,
    write: Translation,
}

impl PodMap {
    /// What is pinned there.
    pub fn open(path: &Path) -> Result<Self, FrozenMapError> {
        Self::of(frozen_map::open(path)?, path)
    }

    /// A map, which errors call by this path.
    pub fn of(fd: OwnedFd, path: &Path) -> Result<Self, FrozenMapError> {
        let failed = |source| FrozenMapError::Open { path: path.to_owned(), source };
        let info = sys::map_info(fd.as_fd()).map_err(failed)?;
        let pin = MapPin { fd, info };
        let ways =
            Ways::to(&pin).map_err(|found| FrozenMapError::Foreign { path: path.to_owned(), found })?;
        Ok(Self { pin, path: path.to_owned(), ways })
    }

    /// Whether every entry of a map of that layout can be read and written.
    pub fn reads(pin: &MapPin) -> bool {
        Ways::to(pin).is_ok()
    }

    /// Whether programs that know it in that layout can read it.
    pub fn is_for(&self, layout: &Description) -> bool {
        Kernel::default().is_shared_with(Table::Enrolled, &self.pin.info, layout).is_ok()
    }

    /// The kernel's number for it.
    pub fn id(&self) -> u32 {
        self.pin.info.id
    }

    /// How many pods it has room for.
    pub fn room(&self) -> u32 {
        self.pin.info.max_entries
    }

    /// All pods, by name.
    pub fn list(&self) -> Result<Vec<Pod>, EnrolmentError> {
        let entries = self.entries()?;
        let mut pods: Vec<Pod> = entries.iter().map(|(cookie, value)| Pod::of(*cookie, value)).collect();
        pods.sort_by(|a, b| (&a.name, a.cookie).cmp(&(&b.name, b.cookie)));
        Ok(pods)
    }

    /// Enters a pod, or what is new of it.
    pub fn set(&self, pod: &Pod) -> Result<(), EnrolmentError> {
        self.set_entry(pod.cookie.0, &pod.value())
    }

    /// Takes a pod out, if it is there.
    pub fn delete(&self, pod: &Pod) -> Result<(), EnrolmentError> {
        self.delete_entry(pod.cookie.0)
    }

    /// Has it say what another one says, of which nobody else is a writer now. It can be repeated.
    pub fn fill_from(&self, other: &Self) -> Result<(), EnrolmentError> {
        let wanted = other.entries()?;
        for (cookie, value) in &wanted {
            self.set_entry(*cookie, value)?;
        }
        let mut stands = self.entries()?.into_keys();
        stands.try_for_each(|it| if wanted.contains_key(&it) { Ok(()) } else { self.delete_entry(it) })
    }
}

impl PodMap {
    fn entries(&self) -> Result<BTreeMap<u64, Enrolled>, EnrolmentError> {
        let mut entries = BTreeMap::new();
        let read = self.raw().and_then(|map| {
            map.for_each(|key, value| {
                entries.extend([self.read(key, value)?]);
                Ok(())
            })
        });
        read.map(|()| entries).map_err(|source| self.failed("list", source))
    }

    fn set_entry(&self, cookie: u64, value: &Enrolled) -> Result<(), EnrolmentError> {
        let set = self.raw().and_then(|map| map.update(&self.key(cookie)?, &self.value(value)?));
        set.map_err(|source| match source.raw_os_error() {
            Some(libc::E2BIG) => EnrolmentError::Full { path: self.path.clone() },
            _ => self.failed("write to", source),
        })
    }

    fn delete_entry(&self, cookie: u64) -> Result<(), EnrolmentError> {
        let deleted = self.raw().and_then(|map| map.delete(&self.key(cookie)?));
        deleted.map(drop).map_err(|source| self.failed("delete from", source))
    }

    fn raw(&self) -> io::Result<RawMap<'_>> {
        RawMap::new(self.pin.fd.as_fd())
    }

    fn read(&self, key: &[u8], value: &[u8]) -> io::Result<(u64, Enrolled)> {
        match &self.ways {
            None => Ok((sys::from_bytes(key)?, sys::from_bytes(value)?)),
            Some(Ways { read, .. }) => {
                is_whole(&read.value, value)?;
                Ok((read.key.read(key)?, read.value.read(value)?))
            }
        }
    }

    fn key(&self, cookie: u64) -> io::Result<Vec<u8>> {
        let own = sys::bytes(&cookie);
        self.ways.as_ref().map_or_else(|| Ok(own.to_vec()), |ways| ways.write.key.record(own))
    }

    fn value(&self, value: &Enrolled) -> io::Result<Vec<u8>> {
        let own = sys::bytes(value);
        let Some(Ways { write, .. }) = &self.ways else { return Ok(own.to_vec()) };
        is_whole(&write.value, own)?;
        write.value.record(own)
    }

    fn failed(&self, step: &'static str, source: io::Error) -> EnrolmentError {
        EnrolmentError::Map { step, path: self.path.clone(), source }
    }
}

impl Ways {
    /// None: this release's layout. Where the kernel does not tell the fields, they are this release's if the bytes are.
    fn to(pin: &MapPin) -> Result<Option<Self>, String> {
        let table = Table::Enrolled;
        let (own, declared) = (table.description(), table.declared());
        match Kernel::default().describe_frozen(&pin.info) {
            Ok(theirs) if theirs.is_like(&own) => Ok(None),
            Ok(theirs) => {
                let between = |from, to| {
                    Translation::narrowing(from, to, &declared)
                        .map_err(|error| format!("a {} ({error})", pin.info.layout))
                };
                Ok(Some(Self { read: between(&theirs, &own)?, write: between(&own, &theirs)? }))
            }
            Err(_) if pin.info.layout.has_bytes_of(&own.layout()) => Ok(None),
            Err(error) => Err(format!("a {}, and {error}", pin.info.layout)),
        }
    }
}

/// Whether a value keeps everything that it says.
fn is_whole(copies: &Copies, value: &[u8]) -> io::Result<()> {
    match copies.cuts(value) {
        true => Err(io::Error::other("a field has no room there for what it holds")),
        false => Ok(()),
    }
}
