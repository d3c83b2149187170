use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::{ReleaseError, error::failed};

/// What staging must leave free, for the ledger and for whoever else writes there.
const RESERVE: u64 = 16 << 20;

/// What staging needs, and what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For the programs and a reserve, in bytes.
    pub needed: u64,
    /// On the file system of the store, in bytes.
    pub free: u64,
}

/// What staging programs of `size` bytes needs in `dir`.
pub fn room(dir: &Path, size: u64) -> Result<Room, ReleaseError> {
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(dir);
    let seen = statvfs(there).map_err(|errno| failed("ask for the room in", there)(errno.into()))?;
    Ok(Room { needed: size + RESERVE, free: seen.blocks_available() * seen.fragment_size() })
}
