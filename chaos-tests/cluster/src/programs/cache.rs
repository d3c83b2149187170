use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};

use crate::{Error, Result};

/// Where programs are kept that were built; names another place than [`DEFAULT`].
const VARIABLE: &str = "EVERMESH_CLUSTER_CACHE";
const DEFAULT: &str = "/var/cache/evermesh-cluster";

/// Every node has its own of these, so what lies there cannot be run on one.
const OF_EVERY_NODE: [&str; 3] = ["/run", "/var/lib", "/var/log"];

/// The directory, made if need be.
pub(super) fn directory() -> Result<PathBuf> {
    let dir = env::var_os(VARIABLE).map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from);
    fs::create_dir_all(&dir).map_err(Error::path("create", &dir))?;
    let dir = dir.canonicalize().map_err(Error::path("find", &dir))?;
    if OF_EVERY_NODE.iter().any(|own| dir.starts_with(own)) { Err(Error::Cache(dir)) } else { Ok(dir) }
}

/// Waits until nobody else builds `name`, and keeps others from it.
pub(super) fn lock(dir: &Path, name: &str) -> Result<Flock<File>> {
    let path = dir.join(format!("{name}.lock"));
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(Error::path("open", &path))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, e)| Error::kernel("lock", path)(e))
}
