use std::{
    collections::BTreeSet,
    fs,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    Error, Result,
    sys::{self, ObjectKind},
    wait,
};

/// Ids of eBPF objects. The kernel hands out ids in order and reuses none for a long time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Programs.
    pub programs: BTreeSet<u32>,
    /// Maps.
    pub maps: BTreeSet<u32>,
    /// Links.
    pub links: BTreeSet<u32>,
}

impl Objects {
    /// All of the machine.
    pub fn now() -> Result<Self> {
        Ok(Self {
            programs: ids(ObjectKind::Program)?,
            maps: ids(ObjectKind::Map)?,
            links: ids(ObjectKind::Link)?,
        })
    }

    /// What is pinned below `dir`.
    pub fn pinned_below(dir: &Path) -> Result<Self> {
        let mut found = Self::default();
        for pin in files_below(dir).iter().filter(|pin| !is_the_kernels(pin)) {
            found.add_pin(pin)?;
        }
        Ok(found)
    }

    /// A descriptor of any kind of object says in `/proc` what it is.
    fn add_pin(&mut self, pin: &Path) -> Result<()> {
        let fd = sys::open_pin(pin).map_err(Error::path("open pin", pin))?;
        let info = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
        let info = fs::read_to_string(&info).map_err(Error::path("read", info))?;
        for line in info.lines() {
            match line.split_once(":\t") {
                Some(("prog_id", id)) => self.programs.extend(id.trim().parse::<u32>()),
                Some(("map_id", id)) => self.maps.extend(id.trim().parse::<u32>()),
                Some(("link_id", id)) => self.links.extend(id.trim().parse::<u32>()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Those of `self` that are also in `other`.
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            programs: &self.programs & &other.programs,
            maps: &self.maps & &other.maps,
            links: &self.links & &other.links,
        }
    }

    /// Waits until the kernel has freed all of them.
    pub fn await_freed(&self, patience: Duration) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let gone = || Self::now().ok().filter(|now| self.intersection(now).is_empty());
        match wait::until("eBPF objects to be freed", patience, gone) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::LeftBehind(format!("eBPF {:?}", self.intersection(&Self::now()?)))),
        }
    }
}

/// `maps.debug` and `progs.debug` come with every bpffs; no pin of a program may have a dot in its name.
fn is_the_kernels(pin: &Path) -> bool {
    pin.extension().is_some()
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let nested = entries.map(|entry| match entry.file_type() {
        Ok(t) if t.is_dir() => files_below(&entry.path()),
        Ok(t) if t.is_file() => vec![entry.path()],
        _ => Vec::new(),
    });
    nested.flatten().collect()
}

fn ids(kind: ObjectKind) -> Result<BTreeSet<u32>> {
    let mut ids = BTreeSet::new();
    while let Some(id) = next_id(kind, ids.last().copied().unwrap_or(0))? {
        ids.insert(id);
    }
    Ok(ids)
}

fn next_id(kind: ObjectKind, after: u32) -> Result<Option<u32>> {
    sys::next_id(kind, after).map_err(|source| Error::Objects { kind: format!("{kind:?}s"), source })
}
