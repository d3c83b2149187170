use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use crate::{
    PinDir, Table,
    layout::{Kernel, Known, Unknown},
    sys::{self, MapInfo, Object},
};

/// A frozen map, opened by its pin: of this release's layout.
#[derive(Debug)]
pub struct FrozenMap {
    /// The open map.
    pub fd: OwnedFd,
    /// Its pin.
    pub path: PathBuf,
    /// What the kernel tells about it.
    pub info: MapInfo,
}

/// Why a frozen map was not opened.
#[derive(Debug, thiserror::Error)]
pub enum FrozenMapError {
    /// The pin could not be opened.
    #[error("cannot open {}: {source}; is Evermesh running on this node?", path.display())]
    Open {
        /// The pin.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is another kind of object, or of another layout.
    #[error("{} is not the map of this release: {found}; use the `evermesh` of the release that runs", path.display())]
    Foreign {
        /// The pin.
        path: PathBuf,
        /// What stands there.
        found: String,
    },
}

impl FrozenMap {
    /// Opens the pin of `table` and checks its layout. The revision is not known to the kernel: who uses the map checks it.
    pub fn open(pins: &PinDir, table: Table) -> Result<Self, FrozenMapError> {
        match Self::open_known(pins, table)? {
            (map, Known::Own) => Ok(map),
            (Self { path, .. }, Known::Before) => {
                Err(FrozenMapError::Foreign { path, found: "of the layout of the release before".into() })
            }
        }
    }

    /// The same, also of the layout of the release before: which of them it has.
    pub fn open_known(pins: &PinDir, table: Table) -> Result<(Self, Known), FrozenMapError> {
        match Self::open_any(pins, table)? {
            (map, Ok(known)) => Ok((map, known)),
            (Self { path, .. }, Err(unknown)) => {
                Err(FrozenMapError::Foreign { found: unknown.to_string(), path })
            }
        }
    }

    /// The same, of whatever layout.
    pub fn open_any(pins: &PinDir, table: Table) -> Result<(Self, Result<Known, Unknown>), FrozenMapError> {
        let path = pins.frozen_map(table);
        let fd = open(&path)?;
        let info = sys::map_info(fd.as_fd())
            .map_err(|source| FrozenMapError::Open { path: path.clone(), source })?;
        let known = Kernel::default().known(table, &info);
        Ok((Self { fd, path, info }, known))
    }
}

/// What is pinned there, whatever its layout.
pub(crate) fn open(path: &Path) -> Result<OwnedFd, FrozenMapError> {
    let path = path.to_owned();
    match sys::object_get(&path) {
        Ok(Object::Map(fd)) => Ok(fd),
        Ok(other) => Err(FrozenMapError::Foreign { found: format!("a {}", other.kind()), path }),
        Err(source) => Err(FrozenMapError::Open { path, source }),
    }
}
