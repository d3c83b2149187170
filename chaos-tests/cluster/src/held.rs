use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
    time::Duration,
};

use evermesh_chaos_tests::wait;
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    mount::{MsFlags, mount},
};

use crate::{ClusterName, Error, Result, cgroups::Cgroups, layout::Layout};

/// Who only looks whether there is something to remove lets go at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// A cluster's directory, which no other process may use meanwhile. The kernel lets go of it when the process ends,
/// whatever ends it: who can hold a cluster that is not kept has found what a dead owner left.
#[derive(Debug)]
pub(crate) struct Held {
    layout: Layout,
    _lock: Flock<File>,
}

impl Held {
    /// Takes it, making its directory if there is none.
    pub fn take(name: &ClusterName) -> Result<Self> {
        let taken = wait::until("the cluster to be let go of", PATIENCE, || Self::try_take(name).transpose());
        taken.map_err(|_| Error::Held { name: name.clone() })?
    }

    /// The same, unless another process holds it.
    pub fn try_take(name: &ClusterName) -> Result<Option<Self>> {
        let layout = Layout::of(name);
        fs::create_dir_all(layout.dir()).map_err(Error::path("create", layout.dir()))?;
        Ok(try_lock(&layout)?.map(|lock| Self { layout, _lock: lock }))
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Mounts the directory on itself: what is mounted below it then stays in this mount namespace.
    pub fn make_private(&self) -> Result<()> {
        let (dir, none) = (self.layout.dir(), None::<&str>);
        mount(Some(dir), dir, none, MsFlags::MS_BIND, none).map_err(Error::kernel("mount", dir))?;
        mount(none, dir, none, MsFlags::MS_PRIVATE, none).map_err(Error::kernel("make private", dir))
    }

    /// Whether it is to outlive whoever brought it up. What a reboot has ended is kept by nobody.
    pub fn is_kept(&self) -> Result<bool> {
        let runs = !Cgroups::of(self.layout.name())?.processes().is_empty();
        Ok(runs && self.layout.kept().exists())
    }

    /// Takes back that it was kept, if it was.
    pub fn no_longer_keep(&self) -> Result<()> {
        match fs::remove_file(self.layout.kept()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(Error::path("remove", self.layout.kept())(e))
            }
            _ => Ok(()),
        }
    }

    /// Lets the cluster outlive this process.
    pub fn keep(self) -> Result<()> {
        let kept = self.layout.kept();
        File::create(&kept).map(drop).map_err(Error::path("create", kept))
    }
}

/// `None`: somebody else has the lock, or has removed the directory meanwhile.
fn try_lock(layout: &Layout) -> Result<Option<Flock<File>>> {
    let path = layout.lock();
    let file = match File::options().create(true).truncate(false).write(true).open(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(Error::path("open", &path))?,
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock).filter(|lock| is_still(lock, &path))),
        Err((_, Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, source)) => Err(Error::kernel("lock", path)(source)),
    }
}

/// Whether the locked file is the one that has this name now.
fn is_still(lock: &File, path: &Path) -> bool {
    let id = |m: fs::Metadata| (m.dev(), m.ino());
    lock.metadata().ok().map(id) == fs::metadata(path).ok().map(id)
}
